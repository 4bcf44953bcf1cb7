"""Load what every stage shares: the generator, its rig, and dlib's face models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from cuda_ops import keep_freed_memory
from facecodec.arguments import whole
from facecodec.bitstream import StreamHeader
from facecodec.errors import MissingModelError, ModelError, StreamError, UsageError
from facecodec.face.apart import EmbedderApart
from facecodec.face.landmarks import FaceEmbedder, LandmarkFinder
from facecodec.fit.likeness import Likeness
from facecodec.generator.base import Generator
from facecodec.rig.rig import Rig, load_rig
from facecodec.weights.catalogue import CATALOGUE, DEFAULT_GENERATOR
from facecodec.weights.store import (
    how_to_install,
    load_generator,
    lost_home,
    model_path,
    readable_records,
    require,
    verify,
)

FACE_MODELS = ("dlib-landmarks", "dlib-embedding")
DEVICES = ("auto", "cpu", "cuda")
Device: TypeAlias = str | torch.device  # one of DEVICES, or torch's own
NUM_SIZES = 3  # a picture may have the generator's side, half or a quarter of it


class FaceModel(NamedTuple):
    """A generator of faces, and the rig that moves them."""

    generator: Generator
    rig: Rig

    @property
    def device(self) -> torch.device:
        """Return where the generator computes."""
        return self.generator.w_mean.device

    @property
    def mean(self) -> NDArray[np.float32]:
        """Return the generator's mean of W, float32 [w_dim], that identities are coded against."""
        mean: NDArray[np.float32] = self.generator.w_mean.cpu().numpy()
        return mean


def pick_device(device: Device) -> torch.device:
    """Return the device for 'auto', 'cpu' or 'cuda', or the one given.

    Raises UsageError for another one, and for CUDA on a machine without.
    """
    kind = device.type if isinstance(device, torch.device) else device
    if kind not in DEVICES:
        raise UsageError(f"no device {str(device)!r}; there are: {', '.join(DEVICES)}")
    if kind == "auto":
        device = kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda: torch finds no CUDA device here; use cpu", argument="device")
    chosen = torch.device(device)
    if chosen.index is not None and kind == "cuda" and chosen.index >= torch.cuda.device_count():
        raise UsageError(f"no device '{chosen}'; CUDA has {torch.cuda.device_count()} here")
    return chosen


def load_models(
    model: str = DEFAULT_GENERATOR, rig: str | Path | None = None, device: Device = "auto"
) -> FaceModel:
    """Return an installed generator on its device and its rig (the shipped one unless given).

    model: the name of an installed generator. rig: a rig file. device: 'auto', 'cpu', 'cuda' or a
    `torch.device`. Raises ModelError when the generator is not installed or has no rig, UsageError
    for a device that is not there.
    """
    generator = load_generator_on(model, device)
    return FaceModel(generator, Rig.load(Path(rig)) if rig else load_rig(generator))


def load_stream_models(
    header: StreamHeader, name: str, rig: str | Path | None, device: Device
) -> FaceModel:
    """Load the generator and rig that the header of the stream called `name` asks for.

    Raises ModelError when the generator is not installed, StreamError for another rig.
    """
    model = load_models(
        model_named_by(header.generator_sha256.hex(), header.generator_name), rig, device
    )
    if bytes.fromhex(model.rig.sha256) != header.rig_sha256:
        raise StreamError(
            f"{name}: made with rig {header.rig_sha256.hex()[:12]}, this is "
            f"{model.rig.sha256[:12]}; give the rig file it was made with"
        )
    return model


_kept: dict[str, tuple[object, Any]] | None = None  # by their kind: which one, and the model


def keep_models() -> None:
    """From now on, keep the generator and the face embedding that were loaded last in memory.

    For a process that does one task after the other. A model that was reinstalled is read again.
    """
    global _kept
    _kept = {} if _kept is None else _kept


def _loaded(kind: str, name: str, device: torch.device, load: Callable[[], Any]) -> Any:
    """Return the model that is kept where it is this one, else load it."""
    if _kept is None:
        return load()
    which = name, verify(name).file_sha256, device
    known = _kept.get(kind)
    if known is None or known[0] != which:
        known = _kept[kind] = which, load()
    return known[1]


def load_generator_on(model: str, device: Device) -> Generator:
    """Return an installed generator on its device."""
    keep_freed_memory()
    where = pick_device(device)
    generator: Generator = _loaded(
        "generator", model, where, lambda: load_generator(model).to(where)
    )
    return generator


def load_likeness(generator: Generator) -> Likeness:
    """Return the face embedding a fit is guided by. Raises ModelError where it is not installed."""
    name, where = "dlib-embedding", generator.w_mean.device
    likeness: Likeness = _loaded(name, name, where, lambda: Likeness(model_path(name), where))
    return likeness


def side_of(generator: Generator, size: int | None) -> int:
    """Return the side of a generator's pictures of `size`; its resolution for None.

    Raises UsageError for a size that is not the resolution over a power of two.
    """
    full = generator.resolution
    side = full if size is None else whole(size, "size", 1)
    factor = full // side
    if factor * side != full or factor & (factor - 1):
        sizes = [full >> i for i in range(NUM_SIZES)]
        raise UsageError(f"size {side}: {generator.name} renders {sizes}", argument="size")
    return side


def require_models(*names: str, person: bool) -> None:
    """Raise ModelError, before any work, unless all models of a task are installed.

    names: its generators. person: whether a person is sought in pictures, for which a face
    embedding is needed beside the landmarks.
    """
    require(*names, *FACE_MODELS[: 1 + person])


def model_named_by(sha256: str, hint: str) -> str:
    """Return the name of the installed generator with this identity.

    Raises ModelError naming what to install when there is none; `hint` is the name in the stream.
    """
    for record in readable_records():
        if record.kind == "generator" and record.sha256 == sha256:
            return record.name
    remedy = "import the checkpoint it was made with: facecodec model import FILE"
    if hint in CATALOGUE:  # the hint comes out of a file, which may say anything
        remedy = f"run: {how_to_install(hint)}"
    message = (
        f"needs the generator {hint!r} (SHA-256 {sha256[:12]}…), which is not installed"
        f"{lost_home()}; {remedy}"
    )
    if hint in CATALOGUE and CATALOGUE[hint].sha256 == sha256:
        raise MissingModelError(message, [hint])
    raise ModelError(message)


def landmark_finder(*, quick: bool = False) -> LandmarkFinder:
    """Return dlib's landmark finder, see `LandmarkFinder`. Raises ModelError without its model."""
    return LandmarkFinder(model_path("dlib-landmarks"), quick=quick)


def embedder_apart() -> EmbedderApart:
    """Return dlib's face embedding in a process of its own. Raises ModelError without its model."""
    return EmbedderApart(model_path("dlib-embedding"))


def face_embedder() -> FaceEmbedder:
    """Return dlib's face embedding. Raises ModelError when it is not installed."""
    return FaceEmbedder(model_path("dlib-embedding"))
