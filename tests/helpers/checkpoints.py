"""Random StyleGAN2 networks, and checkpoints of them as the field's tools write them."""

from __future__ import annotations

import argparse
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facecodec.generator.stylegan2_layout import Layout

SMALL = Layout(channels=(64, 64, 32, 16, 8), mapping_layers=8, noise=True, clamp=False)
FILTER = torch.tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64, dtype=torch.float32)


def random_tensors(layout: Layout, seed: int = 77) -> dict[str, np.ndarray]:
    """Seeded weights of the sizes training starts from, none of them zero."""
    noise = np.random.Generator(np.random.PCG64(seed))
    tensors = {}
    for name, shape in layout.shapes().items():
        value = noise.standard_normal(shape)
        if name == "synthesis.clamp":
            value = np.array(2.5)  # low enough to bite
        elif name.endswith("noise_strength"):
            value = np.abs(value) * 0.1 + 0.05
        elif name.endswith("affine.bias"):
            value = value * 0.1 + 1.0
        elif name.startswith("mapping.fc"):
            value = value * (100.0 if name.endswith("weight") else 10.0)
        elif name.endswith("bias") or name == "mapping.w_avg":
            value = value * 0.1
        tensors[name] = np.asarray(value, dtype=np.float32)
    return tensors


class Module:
    """A network as NVIDIA's code pickles it: its source code, its class name and its state."""

    def __init__(self, class_name: str, source: str, **settings: Any) -> None:
        self.class_name, self.source, self.settings = class_name, source, settings
        self.parameters: dict[str, torch.Tensor] = {}
        self.buffers: dict[str, torch.Tensor] = {}
        self.modules: dict[str, Module] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "training": False,
            "_parameters": OrderedDict(
                (k, torch.nn.Parameter(v, requires_grad=False)) for k, v in self.parameters.items()
            ),
            "_buffers": OrderedDict(self.buffers),
            "_non_persistent_buffers_set": set(),
            "_modules": OrderedDict(self.modules),
            "weight_gain": 1 / np.sqrt(512),
            **self.settings,
        }
        meta = {
            "type": "class", "version": 6, "module_src": self.source,
            "class_name": self.class_name, "state": state,
        }  # fmt: skip
        return _persistence()._reconstruct_persistent_obj, (meta,)


def _persistence() -> types.ModuleType:
    """Stand in for `torch_utils.persistence`, so that pickle can name its function."""
    name = "torch_utils.persistence"
    if name not in sys.modules:
        module = types.ModuleType(name)

        def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
            exec(meta["module_src"], {})  # as the original does; a reader of ours must not

        _reconstruct_persistent_obj.__module__ = name
        _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
        module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
        sys.modules["torch_utils"] = types.ModuleType("torch_utils")
        sys.modules[name] = module
    return sys.modules[name]


def nvidia_network(
    tensors: dict[str, np.ndarray], source: str = "", clamp: float | None = None
) -> Module:
    """Arrange tensors as the module tree of NVIDIA's Generator."""
    root = Module("Generator", source, z_dim=512, c_dim=0)
    for name, value in tensors.items():
        if name == "synthesis.clamp":
            continue
        *path, leaf = name.split(".")
        module = root
        for depth, part in enumerate(path):
            if part not in module.modules:
                prefix = path[: depth + 1]
                settings = _settings(prefix, clamp)
                module.modules[part] = Module(_class_of(prefix), source, **settings)
                if part in ("conv0", "conv1") or part.startswith("b"):
                    module.modules[part].buffers["resample_filter"] = FILTER
            module = module.modules[part]
        kept = module.buffers if leaf in ("w_avg", "noise_const") else module.parameters
        kept[leaf] = torch.tensor(value)
    return root


def _class_of(path: list[str]) -> str:
    names = {"mapping": "MappingNetwork", "synthesis": "SynthesisNetwork", "torgb": "ToRGBLayer",
             "conv0": "SynthesisLayer", "conv1": "SynthesisLayer"}  # fmt: skip
    last = path[-1]
    if last in names:
        return names[last]
    return "SynthesisBlock" if last.startswith("b") else "FullyConnectedLayer"


def _settings(path: list[str], clamp: float | None) -> dict[str, Any]:
    settings: dict[str, dict[str, Any]] = {
        "MappingNetwork": {"c_dim": 0},
        "SynthesisBlock": {"architecture": "skip"},
        "SynthesisLayer": {"activation": "lrelu", "conv_clamp": clamp},
        "ToRGBLayer": {"conv_clamp": clamp},
        "FullyConnectedLayer": (
            {"activation": "lrelu", "bias_gain": 0.01} if path[0] == "mapping" else {}
        ),
    }
    return settings.get(_class_of(path), {})


def write_nvidia(
    path: Path, tensors: dict[str, np.ndarray], source: str = "", clamp: float | None = None
) -> Path:
    network = nvidia_network(tensors, source, clamp)
    with path.open("wb") as file:
        pickle.dump({"G": None, "D": None, "G_ema": network, "training_set_kwargs": {}}, file)
    return path


def rosinality_state(tensors: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Rename tensors as rosinality's Generator names them; the inverse of what is tested."""
    state: dict[str, torch.Tensor] = {}
    for name, value in tensors.items():
        if name == "mapping.w_avg":
            continue
        tensor = torch.tensor(value)
        network, module, leaf = name.split(".", 2)
        if network == "mapping":
            state[f"style.{int(module[2:]) + 1}.{leaf}"] = tensor
            continue
        if leaf == "const":
            state["input.input"] = tensor[None]
            continue
        block = int(module[1:]).bit_length() - 3  # 0 at 4x4
        layer, part = leaf.split(".", 1)
        renamed = part.replace("affine", "conv.modulation")
        if layer == "torgb":
            prefix = "to_rgb1" if block == 0 else f"to_rgbs.{block - 1}"
            if part == "bias":
                tensor = tensor[None, :, None, None]
        else:
            number = 0 if block == 0 else 2 * block - 1 + (layer == "conv1")
            prefix = "conv1" if number == 0 else f"convs.{number - 1}"
            if part == "noise_const":
                state[f"noises.noise_{number}"] = tensor[None, None]
                continue
            renamed = {"bias": "activate.bias", "noise_strength": "noise.weight"}.get(part, renamed)
            tensor = tensor[None] if part == "noise_strength" else tensor
        if part == "weight":
            renamed, tensor = "conv.weight", tensor[None]
        state[f"{prefix}.{renamed}"] = tensor
    for number in range(0, 2 * block, 2):
        state[f"convs.{number}.conv.blur.kernel"] = FILTER * 4
        state[f"to_rgbs.{number // 2}.upsample.kernel"] = FILTER * 4
    return state


def write_rosinality(
    path: Path,
    tensors: dict[str, np.ndarray],
    *,
    training: bool = False,
    legacy: bool = False,
) -> Path:
    state = rosinality_state(tensors)
    content: dict[str, Any] = {"g_ema": state}
    if training:
        optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(3))])
        arguments = argparse.Namespace(lr=0.002, path=Path("faces"), device=torch.device("cpu"))
        content |= {"g": state, "d": {}, "g_optim": optimiser.state_dict(), "args": arguments}
    else:
        content["latent_avg"] = torch.tensor(tensors["mapping.w_avg"])
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def write_encoder(path: Path, tensors: dict[str, np.ndarray], rows: int) -> Path:
    state = {f"decoder.{key}": value for key, value in rosinality_state(tensors).items()}
    state |= {"encoder.input_layer.0.weight": torch.zeros(2, 3, 3, 3),
              "encoder.input_layer.1.num_batches_tracked": torch.tensor(7)}  # fmt: skip
    mean = torch.tensor(tensors["mapping.w_avg"])[None].repeat(rows, 1)
    torch.save({"state_dict": state, "latent_avg": mean, "opts": {"size": 64}}, path)
    return path
