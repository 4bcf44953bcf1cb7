"""The operators as the rest of the project calls them: one signature, several implementations.

What each one computes stands with its reference; `cuda_ops.dispatch` picks who computes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cuda_ops.dispatch import implementation
from cuda_ops.mobilestylegan import Head, MobileBlock
from cuda_ops.reference import SeparableConv


def separable_conv(x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
    """Modulated separable convolution with what follows it: `reference.separable_conv`."""
    result: Tensor = implementation((x, style, *_weights(conv))).separable_conv(x, style, conv)
    return result


def mobile_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block of MobileStyleGAN: `reference.mobile_block`."""
    chosen = implementation((x, up, style1, style2, *_weights(conv1), *_weights(conv2)))
    result: Tensor = chosen.mobile_block(x, up, style1, style2, conv1, conv2)
    return result


def low_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block of MobileStyleGAN on low bands alone: `reference.low_block`."""
    chosen = implementation((x, up, style1, style2, *_weights(conv1), *_weights(conv2)))
    result: Tensor = chosen.low_block(x, up, style1, style2, conv1, conv2)
    return result


def to_image(x: Tensor, style: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Features to a picture: `reference.to_image`."""
    result: Tensor = implementation((x, style, weight, bias)).to_image(x, style, weight, bias)
    return result


def mobile_network(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """All blocks and the head at once: `mobilestylegan.mobile_network`."""
    chosen = implementation(_all(x, styles, blocks, head))
    result: Tensor = chosen.mobile_network(x, styles, blocks, head)
    return result


def mobile_network_rgb8(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """All blocks and the head, to bytes: `mobilestylegan.mobile_network_rgb8`."""
    chosen = implementation(_all(x, styles, blocks, head))
    result: Tensor = chosen.mobile_network_rgb8(x, styles, blocks, head)
    return result


def _weights(conv: SeparableConv) -> tuple[Tensor, ...]:
    return conv.depthwise, conv.pointwise, conv.noise, conv.bias


def _all(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> tuple[Tensor, ...]:
    convs = [conv for block in blocks for conv in (block.conv1, block.conv2)]
    return (x, *styles, *(t for conv in convs for t in _weights(conv)), head.weight, head.bias)
