"""Sizes of pictures and their differences in C++: every value is read once, forward and back."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cuda_ops.backend import Backend
from cuda_ops.cpu import abi, library


class _Kind(IntEnum):
    """As in differences_abi.h."""

    SIZE = 0
    SIZE_TURNED = 1
    APART = 2
    APART_TURNED = 3


class DifferenceKernels(Backend):
    """The operators of differences, with gradients to the pictures."""

    def mean_size(self, pictures: Tensor) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, 1, H, W]."""
        result: Tensor = _MeanSize.apply(pictures.contiguous())
        return result

    def apart(self, pictures: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """As `Backend`: [N, C, H, W], the same, [N, 1, H, W] -> []."""
        if targets.requires_grad or weights.requires_grad:
            return super().apart(pictures, targets, weights)
        constants = targets.contiguous(), weights.contiguous()
        result: Tensor = _Apart.apply(pictures.contiguous(), *constants)
        return result


class _MeanSize(torch.autograd.Function):
    """See `Backend.mean_size`."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, 1, H, W]."""
        ctx.save_for_backward(pictures)
        result = pictures.new_empty(len(pictures), 1, *pictures.shape[2:])
        _run(_Kind.SIZE, pictures, result=result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """[N, 1, H, W] -> [N, C, H, W]."""
        (pictures,) = ctx.saved_tensors
        result = torch.empty_like(pictures)
        _run(_Kind.SIZE_TURNED, pictures, weights=gradient.contiguous(), result=result)
        return result


class _Apart(torch.autograd.Function):
    """See `Backend.apart`."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """[N, C, H, W], the same, [N, 1, H, W] -> []."""
        ctx.save_for_backward(pictures, targets, weights)
        pixels = pictures.shape[-2] * pictures.shape[-1]
        items = -(-pixels // library.library().facecodec_difference_run())
        sums = torch.empty(len(pictures) * items, dtype=torch.float64)
        _run(_Kind.APART, pictures, targets, weights, sums=sums)
        return sums.sum().float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """[] -> [N, C, H, W]; targets and weights are constants."""
        pictures, targets, weights = ctx.saved_tensors
        result = torch.empty_like(pictures)
        _run(_Kind.APART_TURNED, pictures, targets, weights, result, scale=float(gradient))
        return result, None, None


def _run(
    kind: _Kind,
    pictures: Tensor,
    targets: Tensor | None = None,
    weights: Tensor | None = None,
    result: Tensor | None = None,
    sums: Tensor | None = None,
    scale: float = 1.0,
) -> None:
    """Run a job on contiguous tensors of the header's shapes."""
    frames, channels, height, width = pictures.shape

    def place(tensor: Tensor | None) -> int | None:
        """Return where a tensor [...] lies."""
        return None if tensor is None else tensor.data_ptr()

    library.run(
        abi.Difference(
            pictures=pictures.data_ptr(), targets=place(targets), weights=place(weights),
            result=place(result), sums=place(sums), kind=kind, scale=scale, frames=frames,
            channels=channels, pixels=height * width, threads=torch.get_num_threads(),
        )
    )  # fmt: skip
