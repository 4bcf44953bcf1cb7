"""StyleGAN2's operators on the GPU: products are torch's, all around them is one pass."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_ops import arithmetic
from cuda_ops.backend import Backend, demodulation
from cuda_ops.cuda import library
from cuda_ops.derived import once
from cuda_ops.operands import SMOOTH_UP, ModulatedConv

NO_FILTER: tuple[float, ...] = (1.0,)
NO_CLAMP = -1.0


class ModulatedKernels(Backend):
    """The forward pass, without gradients."""

    def upfirdn2d(
        self,
        x: Tensor,
        taps: Sequence[float],
        up: int = 1,
        down: int = 1,
        pad: tuple[int, int] = (0, 0),
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, C, ...]."""
        x = x.contiguous()
        return library.launch(*_fir(x, taps, up, down, pad))

    def double(self, x: Tensor) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, C, 2H, 2W]."""
        return self.upfirdn2d(x, SMOOTH_UP, up=2, pad=(2, 1))

    def bias_act(
        self,
        x: Tensor,
        bias: Tensor,
        noise: Tensor | None = None,
        scale: Tensor | None = None,
        clamp: float | None = None,
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, C, H, W]."""
        return _act(x, NO_FILTER, 0, bias, noise, scale, clamp)

    def modulated_conv(self, x: Tensor, style: Tensor, conv: ModulatedConv) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, D, H, W], or twice as large."""
        x = x * style[:, :, None, None]
        scale = demodulation(style, conv.squares)
        weight, taps, pad = conv.weight, NO_FILTER, 0
        if arithmetic.in_bf16(x.is_cuda and torch.cuda.is_bf16_supported()):
            x, weight = x.bfloat16(), once(weight, torch.Tensor.bfloat16)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            if conv.up:
                x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
                taps, pad = SMOOTH_UP, 1
            else:
                x = F.conv2d(x, weight, padding=1)
        return _act(x.float(), taps, pad, conv.bias, conv.noise, scale, conv.clamp)

    def modulated_rgb(
        self,
        x: Tensor,
        style: Tensor,
        weight: Tensor,
        bias: Tensor,
        clamp: float | None = None,
        coarse: Tensor | None = None,
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, 3, H, W]."""
        n, c, h, w = x.shape
        x = torch.baddbmm(bias[:, None], weight * style[:, None], x.reshape(n, c, h * w))
        x = x.reshape(n, -1, h, w)
        x = x if clamp is None else x.clamp_(-clamp, clamp)
        return x if coarse is None else x.add_(self.double(coarse))


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
    job.act, job.clamp = 1, NO_CLAMP if clamp is None else clamp
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
        source=x.data_ptr(), result=result.data_ptr(), frames=frames, channels=channels,
        height=height, width=width, out_height=tall, out_width=wide, up=up, down=down,
        pad=pad[0], count=len(taps), taps=(ctypes.c_float * library.MAX_TAPS)(*taps),
    )  # fmt: skip
    return job, result
