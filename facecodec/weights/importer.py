"""Import a StyleGAN2 checkpoint: find out what it is, check it, convert it, install it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from facecodec.errors import ExistsError, ModelError, UsageError
from facecodec.generator.stylegan2_layout import W_DIM, Layout, Shape, read_layout
from facecodec.weights import nvidia, rosinality, store, torch_file
from facecodec.weights.catalogue import CATALOGUE
from facecodec.weights.mean_latent import mean_latent
from facecodec.weights.stored_tensor import StoredTensor

Progress = Callable[[str], None]
Tensors = dict[str, np.ndarray]

ARCHITECTURE = "stylegan2"
LICENCE = "that of the checkpoint; NVIDIA's own are for non-commercial use"
_LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, pickled


def import_checkpoint(
    path: Path, name: str | None = None, force: bool = False, progress: Progress | None = None
) -> store.Record:
    """Convert a checkpoint, install it as `name` (the file's own when None), return its record.

    NVIDIA `.pkl`, rosinality `.pt`, e4e and pSp `.pt`, and this project's `.safetensors` are told
    apart by their content. Nothing in the file is executed. `progress` is told each step in words.
    Raises ModelError for a file that is damaged, hostile or no StyleGAN2, and UsageError when it is
    missing or the name is taken and `force` is not set.
    """
    say = progress or (lambda _: None)
    if not path.is_file():
        raise UsageError(f"{path} is not a file; import takes a StyleGAN2 checkpoint")
    name = _free_name(name or _name_of(path), force)
    say(f"reading {path.name}")
    try:
        kind, tensors, layout = read_checkpoint(path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    say(f"installing {name}")
    return store.save_generator(
        tensors,
        name=name,
        architecture=ARCHITECTURE,
        source=f"{path.name} ({kind})",
        licence=LICENCE,
        facts={
            "parameters": sum(value.size for value in tensors.values()),
            "resolution": layout.resolution,
            "channels": list(layout.channels),
            "rows": layout.num_ws,
            "noise": layout.noise,
        },
    )


def read_checkpoint(path: Path) -> tuple[str, Tensors, Layout]:
    """Return what kind of checkpoint a file is, its generator's float32 tensors, and their layout.

    Shapes are checked before a single weight is read. Raises ModelError.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start[:2] == b"PK" or start.startswith(_LEGACY_START):
        with torch_file.opened(path) as value:
            kind = "encoder" if isinstance(value, dict) and "state_dict" in value else "rosinality"
            tensors, layout = _realise(dict(rosinality.read(value)))
            return kind, tensors, layout
    if start[:1] == b"\x80":
        return "NVIDIA", *_realise(nvidia.read(path))
    if start[8:9] == b"{":
        return "safetensors", *_read_safetensors(path)
    raise ModelError("neither a pickle, a torch file nor safetensors; import takes .pkl, .pt, ...")


def _realise(stored: Mapping[str, StoredTensor | float]) -> tuple[Tensors, Layout]:
    """Check the shapes, then read the values; a mean of w that is missing is computed."""
    shapes: dict[str, Shape] = {
        name: () if isinstance(value, float) else value.shape for name, value in stored.items()
    }
    has_mean = "mapping.w_avg" in shapes
    layout = read_layout({"mapping.w_avg": (W_DIM,), **shapes})
    tensors = {
        name: np.array(value, np.float32) if isinstance(value, float) else value.read()
        for name, value in stored.items()
    }
    if not has_mean:
        tensors["mapping.w_avg"] = _mean(tensors, layout)
    return tensors, layout


def _mean(tensors: Tensors, layout: Layout) -> np.ndarray:
    gain = np.float32(0.01 / W_DIM**0.5)
    return mean_latent(
        (
            tensors[f"mapping.fc{i}.weight"] * gain,
            tensors[f"mapping.fc{i}.bias"] * np.float32(0.01),
        )
        for i in range(layout.mapping_layers)
    )


def _read_safetensors(path: Path) -> tuple[Tensors, Layout]:
    try:
        with safe_open(path, "numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            layout = read_layout({name: tuple(s.get_shape()) for name, s in slices.items()})
            if wrong := [name for name, s in slices.items() if s.get_dtype() != "F32"]:
                raise ModelError(f"tensor {wrong[0]} is not float32")
            tensors = {name: file.get_tensor(name) for name in slices}
    except SafetensorError as error:
        raise ModelError(f"not sound safetensors: {error}") from error
    for name, value in tensors.items():
        if not np.isfinite(value).all():
            raise ModelError(f"tensor {name} is infinite or not a number: the file is damaged")
    return tensors, layout


def _name_of(path: Path) -> str:
    """Return the file's own name as a model may be called."""
    return re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip(".-_")[:64]


def _free_name(name: str, force: bool) -> str:
    store.check_name(name)
    if name in CATALOGUE:
        raise UsageError(f"{name} is the catalogue's own; give another name")
    if name in store.installed() and not force:
        raise ExistsError(f"a model {name} exists already; give another name")
    return name
