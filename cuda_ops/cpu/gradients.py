"""The operators for fitting: MobileStyleGAN's forward and backward in C++.

In float32, or with the products of both passes in bf16 where that is chosen. Gradients flow to
maps and styles through the kernels, a block at a time; those to weights, which a full tuning alone
needs, are formed with torch's products, a convolution at a time. Once differentiable: a second
derivative is refused, and forward mode runs on the reference. StyleGAN2's operators are the
reference's, backward included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_weight

from cuda_ops.cpu import abi, library, mobile
from cuda_ops.cpu.backward import BackCall
from cuda_ops.cpu.differences import DifferenceKernels
from cuda_ops.cpu.network import differentiable_network, is_constant
from cuda_ops.cpu.octaves import OctaveKernels
from cuda_ops.cpu.panels import PanelMap, map_type
from cuda_ops.operands import LEAK, Head, MobileBlock, SeparableConv


class CpuGradients(OctaveKernels, DifferenceKernels):
    """The operators that autograd can go back through."""

    name = "cpu"

    def separable_conv(self, x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, D, H, W]."""
        weights = conv.depthwise, conv.pointwise, conv.noise, conv.bias
        result: Tensor = _Separable.apply(x, style, *weights)
        return result

    def mobile_block(
        self, x: Tensor, up: Tensor, style1: Tensor, style2: Tensor, block: MobileBlock
    ) -> Tensor:
        """As `Backend`: [N, 4C, H, W] -> [N, D, 2H, 2W].

        Of a low block, gain and first style are one factor.
        """
        if block.low:
            low = up.shape[1] // 4
            x, style1 = x[:, :low], style1 * (up[:, :low] * 0.5)
        else:
            x = _Haar.apply(x, up)
        x = self.separable_conv(x, style1, block.conv1)
        return self.separable_conv(x, style2, block.conv2)

    def to_image(self, x: Tensor, style: Tensor, head: Head) -> Tensor:
        """As `Backend`: [N, C, H, W] -> pictures [N, 3, ...].

        The style scales the weights, not the map.
        """
        scaled = head.weight * style[:, None]
        y = torch.baddbmm(head.bias[:, None], scaled, x.flatten(2)).unflatten(2, x.shape[2:])
        picture: Tensor = y if head.colours else _Haar.apply(y, y.new_ones(y.shape[:2]))
        return picture

    def mobile_network(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> pictures [N, 3, ...]."""
        if is_constant(blocks, head):
            return differentiable_network(x, styles, blocks, head)
        return super().mobile_network(x, styles, blocks, head)

    def mobile_network_rgb8(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> bytes [N, ..., 3]."""
        with torch.no_grad():
            return mobile.MobileKernels().mobile_network_rgb8(x, styles, blocks, head)


class _Haar(torch.autograd.Function):
    """Scale by gain [N, 4C], inverse Haar transform: [N, 4C, H, W] -> [N, C, 2H, 2W]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor) -> Tensor:
        """[N, 4C, H, W] and [N, 4C] -> [N, C, 2H, 2W]."""
        x, gain = x.contiguous(), gain.contiguous()
        ctx.save_for_backward(x, gain)
        return mobile.scaled_haar(x, gain)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, 2H, 2W] -> the gradients to the map, [N, 4C, H, W], and to the gain, [N, 4C]."""
        x, gain = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_x, to_gain = torch.empty_like(x), torch.empty_like(gain)
        frames, channels, height, width = x.shape
        library.run(
            abi.HaarBackward(
                gradient=gradient.data_ptr(), source=x.data_ptr(), gain=gain.data_ptr(),
                gain_stride=gain.stride(0), source_gradient=to_x.data_ptr(),
                gain_gradient=to_gain.data_ptr(), frames=frames, channels=channels // 4,
                height=height, width=width, threads=torch.get_num_threads(),
            )
        )  # fmt: skip
        return to_x, to_gain


class _Saved(NamedTuple):
    """What the backward pass of a separable convolution needs: its inputs and its result `y`."""

    x: Tensor
    style: Tensor
    depthwise: Tensor
    pointwise: Tensor
    y: Tensor


class _Separable(torch.autograd.Function):
    """A separable convolution with all that follows it: [N, C, H, W] -> [N, D, H, W].

    Backward has the arithmetic of forward.
    """

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
        """[N, C, H, W], style [N, C] and the constants of `SeparableConv` -> [N, D, H, W]."""
        x, style = x.contiguous(), style.contiguous()
        conv = SeparableConv(depthwise, pointwise, noise, bias)
        ctx.reduced = library.in_bf16()
        y = mobile.convolve(x, style, conv, ctx.reduced)
        ctx.save_for_backward(*_Saved(x, style, depthwise, pointwise, y))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """[N, D, H, W] -> the gradients to all six inputs; None for constants nobody asks for."""
        saved, gradient = _Saved(*ctx.saved_tensors), gradient.contiguous()
        to_x, to_style = _to_inputs(gradient, saved, ctx.reduced)
        wanted = ctx.needs_input_grad[2:]
        if not any(wanted):
            return to_x, to_style, None, None, None, None
        return to_x, to_style, *_to_weights(gradient, saved, wanted)


def _to_inputs(gradient: Tensor, saved: _Saved, reduced: bool) -> tuple[Tensor, Tensor]:
    """Return the gradients to the map [N, C, H, W] and to the style [N, C]."""
    kind = map_type(reduced)
    x, made, result = (PanelMap.of(t, kind) for t in (saved.x, saved.y, gradient))
    call = BackCall(x, result, saved.x.shape[1], haar=False, reduced=reduced)
    conv = SeparableConv(saved.depthwise, saved.pointwise, saved.y, saved.y)
    call.conv(conv, saved.style, made)
    to_source, _, (to_style,) = call.run()
    return to_source.planar(), to_style


def _to_weights(gradient: Tensor, saved: _Saved, wanted: Sequence[bool]) -> list[Tensor | None]:
    """Return the gradients to depthwise, pointwise, noise and bias, those that are wanted."""
    x, style, depthwise, pointwise, y = saved
    # as torch.where(y > 0, gradient, gradient * LEAK), in one pass in place of three
    inner = torch.ops.aten.leaky_relu_backward(gradient, y, LEAK, True)
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
