"""Octaves of pictures in C++: what a fit compares, several times a step."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cuda_ops.backend import Backend
from cuda_ops.cpu import abi, library


class _Kind(IntEnum):
    """As in octave_abi.h."""

    HALVED = 0
    HALVED_TURNED = 1
    FINER = 2
    FINER_TURNED = 3


class OctaveKernels(Backend):
    """The operators of octaves, with gradients."""

    def halved(self, pictures: Tensor) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, C, H/2, W/2]."""
        if not _whole(pictures):
            return super().halved(pictures)
        result: Tensor = _Halved.apply(pictures)
        return result

    def finer(self, pictures: Tensor, smaller: Tensor) -> Tensor:
        """As `Backend`: [N, C, H, W] and [N, C, H/2, W/2] -> [N, C, H, W]."""
        if not _whole(pictures):
            return super().finer(pictures, smaller)
        result: Tensor = _Finer.apply(pictures, smaller)
        return result


class _Halved(torch.autograd.Function):
    """See `Backend.halved`."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, H/2, W/2]."""
        return _run(_Kind.HALVED, pictures, None)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """[N, C, H/2, W/2] -> [N, C, H, W]."""
        return _run(_Kind.HALVED_TURNED, None, gradient)


class _Finer(torch.autograd.Function):
    """See `Backend.finer`."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, smaller: Tensor) -> Tensor:
        """[N, C, H, W] and [N, C, H/2, W/2] -> [N, C, H, W]."""
        return _run(_Kind.FINER, pictures, smaller)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, H, W] -> itself, and the gradient to the smaller pictures."""
        return gradient, _run(_Kind.FINER_TURNED, gradient, None)


def _whole(pictures: Tensor) -> bool:
    """Whether pictures [N, C, H, W] have halves."""
    return pictures.shape[-1] % 2 == 0 and pictures.shape[-2] % 2 == 0


def _run(kind: _Kind, large: Tensor | None, small: Tensor | None) -> Tensor:
    """Run a job on pictures [N, C, H, W] and half as large ones; return its result, [N, C, ...]."""
    large, small = (None if t is None else t.contiguous() for t in (large, small))
    if large is not None:
        frames, channels, height, width = large.shape
    else:
        assert small is not None
        frames, channels, height, width = (*small.shape[:2], *(2 * n for n in small.shape[2:]))
    of_small = kind in (_Kind.HALVED, _Kind.FINER_TURNED)
    shape = (height // 2, width // 2) if of_small else (height, width)
    result = torch.empty(frames, channels, *shape)
    library.run(
        abi.Octave(
            large=None if large is None else large.data_ptr(),
            small=None if small is None else small.data_ptr(), result=result.data_ptr(), kind=kind,
            planes=frames * channels, height=height, width=width, threads=torch.get_num_threads(),
        )
    )  # fmt: skip
    return result
