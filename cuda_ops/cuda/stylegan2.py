"""StyleGAN2's operators on the GPU: the dense products are torch's, all around them is one pass."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_ops import dispatch
from cuda_ops.cuda import library
from cuda_ops.once import once
from cuda_ops.stylegan2 import SMOOTH, ModulatedConv, demodulation

SMOOTH_UP = tuple(2 * tap for tap in SMOOTH)
NO_FILTER: tuple[float, ...] = (1.0,)


def upfirdn2d(
    x: Tensor, taps: Sequence[float], up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """Upsample, pad, filter, downsample: [N, C, H, W] -> [N, C, ...]."""
    x = x.contiguous()
    return library.launch(*_fir(x, taps, up, down, pad))


def double(x: Tensor) -> Tensor:
    """Double a picture: [N, C, H, W] -> [N, C, 2H, 2W]."""
    return upfirdn2d(x, SMOOTH_UP, up=2, pad=(2, 1))


def bias_act(
    x: Tensor,
    bias: Tensor,
    noise: Tensor | None = None,
    scale: Tensor | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Scale, add noise and bias, activate, clamp: [N, C, H, W] -> [N, C, H, W]."""
    return _act(x, NO_FILTER, 0, bias, noise, scale, clamp)


def modulated_conv(x: Tensor, style: Tensor, conv: ModulatedConv) -> Tensor:
    """Modulated 3x3 convolution with all that follows it: [N, C, H, W] -> [N, D, H or 2H, ...]."""
    x = x * style[:, :, None, None]
    scale = demodulation(style, conv.squares)
    weight, taps, pad = conv.weight, NO_FILTER, 0
    if dispatch.reduced(device=x.device.type):
        x, weight = x.bfloat16(), once(weight, _half)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        if conv.up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            taps, pad = SMOOTH_UP, 1
        else:
            x = F.conv2d(x, weight, padding=1)
    return _act(x.float(), taps, pad, conv.bias, conv.noise, scale, conv.clamp)


def modulated_rgb(
    x: Tensor,
    style: Tensor,
    weight: Tensor,
    bias: Tensor,
    clamp: float | None = None,
    coarse: Tensor | None = None,
) -> Tensor:
    """Modulated 1x1 convolution to a picture, the coarser one added: [N, 3, H, W]."""
    n, c, h, w = x.shape
    x = torch.baddbmm(bias[:, None], weight * style[:, None], x.reshape(n, c, h * w))
    x = x.reshape(n, -1, h, w)
    x = x if clamp is None else x.clamp_(-clamp, clamp)
    return x if coarse is None else x.add_(double(coarse))


def _act(
    x: Tensor,
    taps: Sequence[float],
    pad: int,
    bias: Tensor,
    noise: Tensor | None,
    scale: Tensor | None,
    clamp: float | None,
) -> Tensor:
    """Filter and activate in one pass."""
    x, kept = x.contiguous(), [None if t is None else t.contiguous() for t in (scale, noise, bias)]
    job, result = _fir(x, taps, 1, 1, (pad, pad))
    job.act, job.clamp = 1, -1.0 if clamp is None else clamp
    job.scale, job.noise, job.bias = (None if t is None else t.data_ptr() for t in kept)
    return library.launch(job, result)


def _fir(
    x: Tensor, taps: Sequence[float], up: int, down: int, pad: tuple[int, int]
) -> tuple[library.Fir, Tensor]:
    """Return the job that filters a contiguous map, and where its result will be."""
    if len(taps) > library.MAX_TAPS:
        raise ValueError(f"a filter of {len(taps)} taps; at most {library.MAX_TAPS}")
    frames, channels, height, width = x.shape
    tall, wide = ((side * up + sum(pad) - len(taps)) // down + 1 for side in (height, width))
    result = x.new_empty(frames, channels, tall, wide)
    job = library.Fir(
        x.data_ptr(), result.data_ptr(), frames, channels, height, width, tall, wide,
        up, down, pad[0], len(taps), (ctypes.c_float * library.MAX_TAPS)(*taps),
    )  # fmt: skip
    return job, result


def _half(weight: Tensor) -> Tensor:
    return weight.bfloat16()
