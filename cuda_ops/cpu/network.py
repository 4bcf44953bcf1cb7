"""MobileStyleGAN as one differentiable function: what a fit to styles goes through.

Both passes take a block in one job. What convolutions make is kept for the backward pass: in bf16
where products are, since memory is then what costs most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from cuda_ops.cpu import library, mobile
from cuda_ops.cpu.backward import of_block
from cuda_ops.cpu.panels import PanelMap, map_type
from cuda_ops.operands import Head, MobileBlock, Picture, channels_used


def is_constant(blocks: Sequence[MobileBlock], head: Head) -> bool:
    """Whether no gradient to any weight is wanted."""
    tensors = [head.weight, head.bias]
    for block in blocks:
        for conv in (block.conv1, block.conv2):
            tensors += [conv.depthwise, conv.pointwise, conv.noise, conv.bias]
    return not any(tensor.requires_grad for tensor in tensors)


def differentiable_network(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """As `Backend.mobile_network`, with gradients to x [N, C, H, W] and to the styles [N, C]."""
    used = channels_used(blocks)
    narrowed = [block.narrowed(count) for block, count in zip(blocks, used, strict=True)]
    picture: Tensor = _Network.apply(narrowed, head, x, *styles)
    return picture


class _Network(torch.autograd.Function):
    """All blocks, and the head."""

    @staticmethod
    def forward(
        ctx: Any, blocks: Sequence[MobileBlock], head: Head, x: Tensor, *styles: Tensor
    ) -> Tensor:
        """[N, C, H, W] and styles [N, C] -> pictures [N, 3, ...]."""
        ctx.blocks, ctx.head, ctx.reduced = blocks, head, library.in_bf16()
        styles = tuple(style.contiguous() for style in styles)
        y = PanelMap.of(x, map_type(ctx.reduced))
        maps, picture = [y], x
        for k, block in enumerate(blocks):
            outputs = len(block.conv2.bias)
            call = mobile.block_call(y, styles[3 * k : 3 * k + 3], block, outputs, ctx.reduced)
            first, second = (
                PanelMap.empty((len(x), len(conv.bias), call.height, call.width), y.data.dtype)
                for conv in (block.conv1, block.conv2)
            )
            maps += [first, second]
            if k == len(blocks) - 1:
                call.keep([first, second])
                call.head(Picture.COLOURS if head.colours else Picture.HAAR, head, styles[-1])
                picture = call.run(mobile.new_picture(call, len(x)))
            else:
                call.keep([first])
                call.run(second.data)
                y = second
        ctx.save_for_backward(*styles, *(made.data for made in maps))
        ctx.widths = [made.width for made in maps]
        ctx.channels = x.shape[1]
        return picture

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """[N, 3, ...] -> the gradients to x and to all styles."""
        count, last = 3 * len(ctx.blocks) + 1, len(ctx.blocks) - 1
        styles = ctx.saved_tensors[:count]
        maps = [PanelMap(*of) for of in zip(ctx.saved_tensors[count:], ctx.widths, strict=True)]
        given: PanelMap | Tensor = gradient.contiguous()
        results: list[Tensor] = []
        for k in reversed(range(last + 1)):
            own, (source, *made) = styles[3 * k : 3 * k + 3], maps[2 * k : 2 * k + 3]
            call = of_block(source, ctx.blocks[k], own, made, given, ctx.reduced)
            if k == last:
                call.head(ctx.head, styles[-1])
            given, to_gain, to_styles = call.run()
            assert to_gain is not None
            # a low block reads the low bands alone
            to_gain = F.pad(to_gain, (0, own[0].shape[1] - to_gain.shape[1]))
            results = [to_gain, *to_styles, *results]
        assert isinstance(given, PanelMap)
        to_x = given.planar()
        return None, None, F.pad(to_x, (0, 0, 0, 0, 0, ctx.channels - to_x.shape[1])), *results
