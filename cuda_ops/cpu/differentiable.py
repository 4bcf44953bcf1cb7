"""The operators for fitting: MobileStyleGAN's forward and backward in C++.

In float32, or with the products of both ways in bf16 where that is chosen (`dispatch.reduced`).
Gradients flow to maps and styles through the kernels; those to weights, which tuning alone needs,
are formed with torch's products. Once differentiable: for more, or for forward mode, there is the
reference. StyleGAN2's are the reference itself, since torch's way back needs its own way there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_weight

from cuda_ops import dispatch
from cuda_ops.cpu import library, mobilestylegan
from cuda_ops.cpu.packing import transposed_weights, transposed_weights16
from cuda_ops.mobilestylegan import Head, MobileBlock, channels_used
from cuda_ops.once import once
from cuda_ops.reference import LEAK, SeparableConv
from cuda_ops.stylegan2 import bias_act, double, modulated_conv, modulated_rgb, upfirdn2d

__all__ = [
    "bias_act",
    "double",
    "low_block",
    "mobile_block",
    "mobile_network",
    "mobile_network_rgb8",
    "modulated_conv",
    "modulated_rgb",
    "separable_conv",
    "to_image",
    "upfirdn2d",
]

TALL = 16  # rows of a band, so that what neighbours make twice stays little


class _Haar(torch.autograd.Function):
    """Scale by gain, inverse Haar transform."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor) -> Tensor:
        x, gain = x.contiguous(), gain.contiguous()
        ctx.save_for_backward(x, gain)
        return mobilestylegan.scaled_haar(x, gain)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, gain = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_x, to_gain = torch.empty_like(x), torch.empty_like(gain)
        frames, channels, height, width = x.shape
        library.run_backward(
            library.HaarBackward(
                gradient.data_ptr(), x.data_ptr(), gain.data_ptr(), gain.stride(0),
                to_x.data_ptr(), to_gain.data_ptr(), frames, channels // 4, height, width,
                torch.get_num_threads(),
            )
        )  # fmt: skip
        return to_x, to_gain


class _Kept(NamedTuple):
    """What the way back through a separable convolution needs: `y` is what came out."""

    x: Tensor
    style: Tensor
    depthwise: Tensor
    pointwise: Tensor
    y: Tensor


class _Separable(torch.autograd.Function):
    """A separable convolution with all that follows it; back as precisely as it went."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        style: Tensor,
        depthwise: Tensor,
        pointwise: Tensor,
        noise: Tensor,
        bias: Tensor,
    ) -> Tensor:
        x, style = x.contiguous(), style.contiguous()
        conv = SeparableConv(depthwise, pointwise, noise, bias)
        ctx.reduced = dispatch.reduced()
        y = mobilestylegan.separable_conv(x, style, conv, ctx.reduced)
        ctx.save_for_backward(*_Kept(x, style, depthwise, pointwise, y))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        kept, gradient = _Kept(*ctx.saved_tensors), gradient.contiguous()
        to_x, to_style = _to_inputs(gradient, kept, ctx.reduced)
        wanted = ctx.needs_input_grad[2:]
        if not any(wanted):
            return to_x, to_style, None, None, None, None
        return to_x, to_style, *_to_weights(gradient, kept, wanted)


def _to_inputs(gradient: Tensor, kept: _Kept, reduced: bool) -> tuple[Tensor, Tensor]:
    x, style, depthwise, pointwise, y = kept
    frames, inputs, height, width = x.shape
    threads = torch.get_num_threads()
    bands = max(1, min(-(-4 * threads // frames), height // TALL))
    to_x, sums = torch.empty_like(x), x.new_empty(frames, bands, inputs)
    products16 = library.products16() if reduced else 0
    packed = once(pointwise, transposed_weights16 if products16 else transposed_weights)
    taps = depthwise.contiguous()
    library.run_backward(
        library.Backward(
            gradient.data_ptr(), y.data_ptr(), x.data_ptr(), taps.data_ptr(),
            packed.data_ptr(), style.data_ptr(), style.stride(0), to_x.data_ptr(),
            sums.data_ptr(), frames, inputs, len(pointwise), height, width, bands, threads,
            products16,
        )
    )  # fmt: skip
    return to_x, sums.sum(1)


def _to_weights(gradient: Tensor, kept: _Kept, wanted: Sequence[bool]) -> list[Tensor | None]:
    """Return the gradients to depthwise, pointwise, noise and bias, those that are wanted."""
    x, style, depthwise, pointwise, y = kept
    inner = torch.where(y > 0, gradient, gradient * LEAK)
    scaled = x * style[:, :, None, None]
    groups = len(depthwise)
    results: list[Tensor | None] = [None, None, None, None]
    if wanted[0]:
        back = F.conv2d(inner, pointwise.T[:, :, None, None])
        shape = (groups, 1, 3, 3)
        results[0] = conv2d_weight(scaled, shape, back, 1, 1, 1, groups)[:, 0]
    if wanted[1]:
        filtered = F.conv2d(scaled, depthwise[:, None], padding=1, groups=groups)
        results[1] = torch.einsum("ndp,ncp->dc", inner.flatten(2), filtered.flatten(2))
    if wanted[2]:
        results[2] = inner.sum((0, 1))
    if wanted[3]:
        results[3] = inner.sum((0, 2, 3))
    return results


def separable_conv(x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
    """One convolution: [N, C, H, W] -> [N, D, H, W]."""
    weights = conv.depthwise, conv.pointwise, conv.noise, conv.bias
    result: Tensor = _Separable.apply(x, style, *weights)
    return result


def mobile_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block: [N, 4C, H, W] -> [N, D, 2H, 2W]."""
    x = separable_conv(_Haar.apply(x, up), style1, conv1)
    return separable_conv(x, style2, conv2)


def low_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block at its input's size: [N, >= C, H, W] -> [N, D, H, W]; gain and style are one."""
    low = up.shape[1] // 4
    x = separable_conv(x[:, :low], style1 * (up[:, :low] * 0.5), conv1)
    return separable_conv(x, style2, conv2)


def to_image(x: Tensor, style: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Head alone: [N, C, H, W] -> [N, 3, 2H, 2W], or [N, 3, H, W] with three rows of weights.

    The style scales the weights, not the map.
    """
    scaled = weight * style[:, None]
    y = torch.baddbmm(bias[:, None], scaled, x.flatten(2)).unflatten(2, x.shape[2:])
    if len(weight) == 3:
        image: Tensor = y
    else:
        image = _Haar.apply(y, y.new_ones(y.shape[:2]))
    return image


def mobile_network(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Blocks and head: [N, C, H, W] -> [N, 3, ...]."""
    for k, (block, used) in enumerate(zip(blocks, channels_used(blocks), strict=True)):
        run = low_block if block.low else mobile_block
        last = block.conv2
        if used < len(last.bias):
            last = replace(last, pointwise=last.pointwise[:used], bias=last.bias[:used])
        up, style1, style2 = styles[3 * k : 3 * k + 3]
        x = run(x, up, style1, style2, block.conv1, last)
    return to_image(x, styles[-1], head.weight, head.bias)


def mobile_network_rgb8(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Blocks and head, to bytes, through which no gradient flows."""
    with torch.no_grad():
        return mobilestylegan.mobile_network_rgb8(x, styles, blocks, head)
