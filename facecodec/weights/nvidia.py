"""NVIDIA's StyleGAN2 checkpoints: pickles of stylegan2-ada-pytorch and of the stylegan3 repository.

A network is pickled with the source code of its class, which an ordinary unpickler executes. Here
the source is text like any other and is thrown away; parameters and buffers are taken out of the
pickled state, and the settings that change the arithmetic are read from it and checked.
"""

from __future__ import annotations

import io
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facecodec.errors import ModelError
from facecodec.weights import safe_pickle, torch_file
from facecodec.weights.safe_pickle import shown
from facecodec.weights.stored_tensor import Storage, StoredTensor

MAX_MODULE_DEPTH = 6
MAX_MODULES = 500
MAX_PARTS = 500  # modules, parameters or buffers of one module; the largest has some 20
MAX_CLAMP = 1e6
RESAMPLE_FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64


@dataclass(frozen=True)
class Module:
    """A pickled network or layer: the name of its class and its attributes."""

    class_name: str
    state: dict[str, Any]

    def part(self, kind: str) -> dict[str, Any]:
        """Return `_modules`, `_parameters` or `_buffers`.

        Raises ModelError where the module has none.
        """
        parts = self.state.get(kind)
        if not isinstance(parts, dict) or len(parts) > MAX_PARTS:
            raise ModelError(f"the pickled {self.class_name} has no {kind}: it is damaged")
        if not all(isinstance(key, str) for key in parts):
            raise ModelError(f"the pickled {self.class_name} has no {kind}: it is damaged")
        return parts


def _module(meta: Any) -> Module:
    """Stand for torch_utils.persistence._reconstruct_persistent_obj; `module_src` is ignored."""
    if isinstance(meta, dict):
        name, state = meta.get("class_name"), meta.get("state")
        if isinstance(name, str) and isinstance(state, dict):
            return Module(name[:80], state)
    raise ModelError("the pickle holds a persistent object without a class name or a state")


def _storage(data: Any) -> Storage:
    """Stand for torch.storage._load_from_bytes: a nested checkpoint that is one storage."""
    if not isinstance(data, bytes):
        raise ModelError("the pickle makes a storage of something that is no bytes: refused")
    storage = torch_file.read_legacy(io.BytesIO(data))
    if not isinstance(storage, Storage):
        raise ModelError("a nested checkpoint holds something that is no storage: refused")
    return storage


def _easy_dict() -> dict[str, Any]:
    return {}


TABLE: safe_pickle.Table = {
    **torch_file.TABLE,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _module,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("dnnlib.util", "EasyDict"): _easy_dict,
}


def read(path: Path) -> dict[str, StoredTensor | float]:
    """Return the tensors of `G_ema`, named as `stylegan2_layout` says; settings are floats.

    Raises ModelError when the file is not a StyleGAN2 of the kind `StyleGAN2` renders.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        value = safe_pickle.load(data, TABLE)  # type: ignore[arg-type]
    generator = value.get("G_ema") if isinstance(value, dict) else value
    if not isinstance(generator, Module):
        raise ModelError("the pickle holds no generator under the name G_ema")
    tensors: dict[str, StoredTensor | float] = {}
    modules = _walk(generator)
    if "synthesis.b4" not in modules:
        raise ModelError(f"its {generator.class_name} is not a StyleGAN2")
    for prefix, module in modules.items():
        _check_settings(prefix, module)
        for kind in ("_parameters", "_buffers"):
            for name, tensor in module.part(kind).items():
                if tensor is None:
                    continue
                if not isinstance(tensor, StoredTensor):
                    raise ModelError(f"{prefix}.{name} is no tensor")
                if name == "resample_filter":
                    check_filter(tensor, f"{prefix}.{name}", 1.0)
                else:
                    tensors[f"{prefix}.{name}"] = tensor
    if (clamp := _clamp(modules)) is not None:
        tensors["synthesis.clamp"] = clamp
    return tensors


def _walk(root: Module) -> dict[str, Module]:
    """Return all modules below `root` by their dotted names, `root` itself left out."""
    modules: dict[str, Module] = {}
    pending = [("", root, 0)]
    while pending:
        prefix, parent, depth = pending.pop()
        for name, module in parent.part("_modules").items():
            if not isinstance(module, Module):
                raise ModelError(f"{prefix}{name[:40]} is no module of the network")
            modules[f"{prefix}{name}"] = module
            if depth >= MAX_MODULE_DEPTH or len(modules) > MAX_MODULES:
                raise ModelError("the network nests or holds more modules than a StyleGAN2 has")
            pending.append((f"{prefix}{name}.", module, depth + 1))
    return modules


def check_filter(tensor: StoredTensor, name: str, gain: float) -> None:
    """Raise ModelError unless a resample filter is [1, 3, 3, 1] on both axes, times `gain`."""
    wanted = RESAMPLE_FILTER * gain
    if tensor.shape != wanted.shape or not np.allclose(tensor.read(), wanted, atol=1e-6):
        raise ModelError(f"{name} is not the filter [1, 3, 3, 1] of StyleGAN2")


def _check_settings(name: str, module: Module) -> None:
    """Raise ModelError for a setting this network does not have: what it must be, and is."""
    wanted: dict[str, Any] = {}
    if module.class_name == "SynthesisBlock":
        wanted = {"architecture": "skip"}
    elif module.class_name == "SynthesisLayer":
        wanted = {"activation": "lrelu"}
    elif module.class_name == "MappingNetwork":
        wanted = {"c_dim": 0}
    elif module.class_name == "FullyConnectedLayer" and name.startswith("mapping.fc"):
        wanted = {"activation": "lrelu", "bias_gain": 0.01}
    for key, value in wanted.items():
        actual = module.state.get(key)
        if not isinstance(actual, str | int | float) or actual != value:
            raise ModelError(f"{name} has {key} {shown(actual)!r}; only {value!r} is rendered")


def _clamp(modules: dict[str, Module]) -> float | None:
    """Return the one limit of activations that all layers share, None without one."""
    layers = [m for m in modules.values() if m.class_name in ("SynthesisLayer", "ToRGBLayer")]
    clamps = [layer.state.get("conv_clamp") for layer in layers]
    if odd := [clamp for clamp in clamps if not isinstance(clamp, int | float | None)]:
        raise ModelError(f"its layers clamp activations at a {shown(odd[0])}, no useful value")
    if any(clamp != clamps[0] for clamp in clamps):
        raise ModelError("its layers clamp activations at different values")
    if not clamps or clamps[0] is None:
        return None
    if not isinstance(clamps[0], int | float) or not 0 < clamps[0] < MAX_CLAMP:
        raise ModelError(f"its layers clamp activations at {shown(clamps[0])}, no useful value")
    return float(clamps[0])
