"""The operators as the rest of the project calls them: one signature, several implementations.

What each one computes stands with its reference; `cuda_ops.dispatch` picks who computes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cuda_ops.dispatch import implementation
from cuda_ops.mobilestylegan import Head, MobileBlock
from cuda_ops.reference import SeparableConv
from cuda_ops.stylegan2 import ModulatedConv


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


def upfirdn2d(
    x: Tensor, taps: Sequence[float], up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """Upsample, pad, filter, downsample: `stylegan2.upfirdn2d`."""
    result: Tensor = implementation((x,)).upfirdn2d(x, taps, up, down, pad)
    return result


def double(x: Tensor) -> Tensor:
    """Double a picture: `stylegan2.double`."""
    result: Tensor = implementation((x,)).double(x)
    return result


def bias_act(
    x: Tensor,
    bias: Tensor,
    noise: Tensor | None = None,
    scale: Tensor | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Scale, noise, bias, activation, clamp: `stylegan2.bias_act`."""
    chosen = implementation(_given(x, bias, noise, scale))
    result: Tensor = chosen.bias_act(x, bias, noise, scale, clamp)
    return result


def modulated_conv(x: Tensor, style: Tensor, conv: ModulatedConv) -> Tensor:
    """Modulated 3x3 convolution with all that follows it: `stylegan2.modulated_conv`."""
    chosen = implementation(_given(x, style, conv.weight, conv.squares, conv.bias, conv.noise))
    result: Tensor = chosen.modulated_conv(x, style, conv)
    return result


def modulated_rgb(
    x: Tensor,
    style: Tensor,
    weight: Tensor,
    bias: Tensor,
    clamp: float | None = None,
    coarse: Tensor | None = None,
) -> Tensor:
    """Modulated 1x1 convolution to a picture: `stylegan2.modulated_rgb`."""
    chosen = implementation(_given(x, style, weight, bias, coarse))
    result: Tensor = chosen.modulated_rgb(x, style, weight, bias, clamp, coarse)
    return result


def _given(*tensors: Tensor | None) -> tuple[Tensor, ...]:
    return tuple(t for t in tensors if t is not None)


def _weights(conv: SeparableConv) -> tuple[Tensor, ...]:
    return conv.depthwise, conv.pointwise, conv.noise, conv.bias


def _all(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> tuple[Tensor, ...]:
    convs = [conv for block in blocks for conv in (block.conv1, block.conv2)]
    return (x, *styles, *(t for conv in convs for t in _weights(conv)), head.weight, head.bias)
