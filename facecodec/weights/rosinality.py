"""Checkpoints of rosinality's stylegan2-pytorch, and of the encoders that carry such a decoder.

Against NVIDIA's naming it is a renaming alone: nothing is flipped, transposed or scaled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from facecodec.errors import ModelError
from facecodec.weights.nvidia import check_filter
from facecodec.weights.safe_pickle import shown
from facecodec.weights.stored_tensor import StoredTensor

MAX_TENSORS = 2000  # of a generator's state; a StyleGAN2 of 1024 pixels has some 200
_FILTER_GAIN = 4.0  # its blur kernels hold the gain of upsampling
_STYLE = re.compile(r"style\.(\d{1,2})\.(weight|bias)")
_LAYER = re.compile(r"(conv1|to_rgb1|convs\.(\d{1,2})|to_rgbs\.(\d{1,2}))\.(.+)")
_NOISE = re.compile(r"noises\.noise_(\d{1,2})")
# the part of a layer's name -> ours, and the axes of length 1 it has too many
_CONV = {
    "conv.weight": ("weight", (0,)),
    "conv.modulation.weight": ("affine.weight", ()),
    "conv.modulation.bias": ("affine.bias", ()),
    "activate.bias": ("bias", ()),
    "noise.weight": ("noise_strength", (0,)),
}
_RGB = {
    "conv.weight": ("weight", (0,)),
    "conv.modulation.weight": ("affine.weight", ()),
    "conv.modulation.bias": ("affine.bias", ()),
    "bias": ("bias", (0, 2, 3)),
}


def read(value: Any) -> dict[str, StoredTensor]:
    """Return the generator of a loaded checkpoint, named as `stylegan2_layout` says.

    Inference and training checkpoints hold it as `g_ema`, encoders (e4e, pSp) as `decoder.*` in
    `state_dict`; the mean of w is `latent_avg` where there is one. Raises ModelError otherwise.
    """
    if not isinstance(value, dict):
        raise ModelError("the file holds no dict of tensors")
    if isinstance(value.get("g_ema"), dict):
        state = value["g_ema"]
    elif isinstance(value.get("state_dict"), dict):
        state = _decoder(value["state_dict"])
    else:
        raise ModelError("the file holds neither g_ema nor the state_dict of an encoder")
    tensors = rename(state)
    mean = value.get("latent_avg")
    if isinstance(mean, StoredTensor):
        tensors["mapping.w_avg"] = _one_row(mean)
    return tensors


def _decoder(state: Mapping[Any, Any]) -> dict[str, Any]:
    prefix = "decoder."
    matching = {
        key.removeprefix(prefix): tensor
        for key, tensor in state.items()
        if isinstance(key, str) and key.startswith(prefix)
    }
    if not matching:
        raise ModelError("the state_dict of this encoder has no decoder.*")
    return matching


def _one_row(mean: StoredTensor) -> StoredTensor:
    """Return the first row of a mean that encoders store once for every row of W+."""
    if len(mean.shape) == 2 and mean.shape[0]:
        return StoredTensor(mean.storage, mean.offset, mean.shape[1:], mean.stride[1:])
    return mean


def rename(state: Mapping[Any, Any]) -> dict[str, StoredTensor]:
    """Return the tensors of a generator's state under our names, unit axes dropped.

    Filters are checked and left out. Raises ModelError naming a tensor that has no place.
    """
    tensors: dict[str, StoredTensor] = {}
    if len(state) > MAX_TENSORS:
        raise ModelError(f"the generator's state has more than {MAX_TENSORS} entries: refused")
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, StoredTensor):
            raise ModelError(f"{shown(key)!r} in the generator's state is no tensor")
        if key.endswith(".kernel"):
            check_filter(tensor, key, _FILTER_GAIN)
        elif match := _STYLE.fullmatch(key):
            tensors[f"mapping.fc{int(match[1]) - 1}.{match[2]}"] = tensor
        elif key == "input.input":
            tensors["synthesis.b4.const"] = tensor.drop(0)
        elif match := _NOISE.fullmatch(key):
            tensors[f"{_conv_name(int(match[1]))}.noise_const"] = tensor.drop(0, 1)
        elif match := _LAYER.fullmatch(key):
            name, axes = _place(match)
            tensors[name] = tensor.drop(*axes)
        else:
            raise ModelError(f"tensor {key[:80]!r} has no place in a StyleGAN2")
    if not any(_NOISE.fullmatch(key) for key in state):
        # Early files left the noise out and drew it again every time: there is none to keep.
        tensors = {k: v for k, v in tensors.items() if not k.endswith(".noise_strength")}
    return tensors


def _conv_name(number: int) -> str:
    """Return our name of a convolution, counted as its noise is: 0 at 4x4, then two a block."""
    side = 4 << (number + 1) // 2
    return f"synthesis.b{side}.conv{1 - number % 2}"


def _place(match: re.Match[str]) -> tuple[str, tuple[int, ...]]:
    layer, convolution, rgb, part = match.groups()
    if convolution is not None or layer == "conv1":
        module = _conv_name(0 if convolution is None else int(convolution) + 1)
        parts: Mapping[str, tuple[str, tuple[int, ...]]] = _CONV
    else:
        module = f"synthesis.b{4 if rgb is None else 8 << int(rgb)}.torgb"
        parts = _RGB
    if part not in parts:
        raise ModelError(f"tensor {match[0][:80]!r} has no place in a StyleGAN2")
    name, axes = parts[part]
    return f"{module}.{name}", axes
