"""The synthesis network of MobileStyleGAN (arXiv 2104.04767) in terms of its operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from cuda_ops import reference
from cuda_ops.reference import SeparableConv


@dataclass(frozen=True)
class MobileBlock:
    """Constants of one block. A `low` one keeps the size and reads the low bands alone."""

    conv1: SeparableConv
    conv2: SeparableConv
    low: bool = False


@dataclass(frozen=True)
class Head:
    """The 1x1 convolution that ends in a picture: weight [12, C] and bias [12] make Haar bands of
    twice the size, [3, C] and [3] make colours.
    """

    weight: Tensor
    bias: Tensor


def channels_used(blocks: Sequence[MobileBlock]) -> list[int]:
    """Return how many channels of every block's output are read: before a low one, a quarter."""
    used = [len(block.conv2.bias) for block in blocks]
    for k, following in enumerate(blocks[1:]):
        if following.low:
            used[k] = len(following.conv1.depthwise)
    return used


def mobile_network(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Blocks and head in plain torch: [N, C, H, W] -> pictures [N, 3, ...] in [-1, 1].

    styles: `up`, `conv1`, `conv2` of every block, then the head's, each [N, channels].
    """
    for k, (block, used) in enumerate(zip(blocks, channels_used(blocks), strict=True)):
        run = reference.low_block if block.low else reference.mobile_block
        last = block.conv2
        last = replace(last, pointwise=last.pointwise[:used], bias=last.bias[:used])
        up, style1, style2 = styles[3 * k : 3 * k + 3]
        x = run(x, up, style1, style2, block.conv1, last)
    return reference.to_image(x, styles[-1], head.weight, head.bias)


def mobile_network_rgb8(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Like `mobile_network`, to bytes: [N, H, W, 3] uint8, -1..1 to 0..255, rounded, clamped."""
    return reference.rgb8(mobile_network(x, styles, blocks, head))
