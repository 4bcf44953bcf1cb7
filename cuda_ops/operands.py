"""What the operators take besides maps and styles: constants of layers, and shared numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from torch import Tensor

from cuda_ops.derived import once

LEAK = 0.2  # slope of the leaky ReLU below zero
GAIN = 2.0**0.5  # StyleGAN2 multiplies its activations by this
SMOOTH = (0.125, 0.375, 0.375, 0.125)  # the low-pass filter [1, 3, 3, 1] / 8
SMOOTH_UP = tuple(2 * tap for tap in SMOOTH)  # after zeros were put between pixels


class Picture(IntEnum):
    """What a network's last convolution becomes; the numbers are those of both `abi.h`."""

    NONE = 0
    COLOURS = 1  # its three channels are the colours
    HAAR = 2  # twelve Haar bands, transformed to colours of twice the size
    BYTES = 3  # the same, as bytes


@dataclass(frozen=True)
class SeparableConv:
    """Constants of one modulated separable convolution, all float32 where kernels run.

    depthwise [C, 3, 3], pointwise [D, C] (demodulation included), noise [H, W], bias [D].
    """

    depthwise: Tensor
    pointwise: Tensor
    noise: Tensor
    bias: Tensor


@dataclass(frozen=True)
class MobileBlock:
    """Constants of one block. A `low` one keeps the size and reads the low bands alone."""

    conv1: SeparableConv
    conv2: SeparableConv
    low: bool = False

    def narrowed(self, outputs: int) -> MobileBlock:
        """Return this block with only the first `outputs` of its output channels."""
        last = self.conv2
        if outputs == len(last.bias):
            return self
        pointwise = once(last.pointwise, _first_rows, outputs)
        return replace(self, conv2=replace(last, pointwise=pointwise, bias=last.bias[:outputs]))


@dataclass(frozen=True)
class Head:
    """The 1x1 convolution that ends in a picture.

    weight [12, C] and bias [12] make Haar bands of twice the size, [3, C] and [3] make colours.
    """

    weight: Tensor
    bias: Tensor

    @property
    def colours(self) -> bool:
        """Whether the convolution makes colours, and not Haar bands."""
        return len(self.weight) == 3


@dataclass(frozen=True)
class ModulatedConv:
    """Constants of one modulated 3x3 convolution of StyleGAN2.

    weight [D, C, 3, 3]; squares [D, C], the sums of its squares over the taps; bias [D]; noise
    [H, W] of the output's size, its strength included, or None; `up` doubles the picture; outputs
    are clamped to plus or minus `clamp` where that is not None.
    """

    weight: Tensor
    squares: Tensor
    bias: Tensor
    noise: Tensor | None
    up: bool
    clamp: float | None = None


def channels_used(blocks: Sequence[MobileBlock]) -> list[int]:
    """Return how many channels of every block's output are read: before a low one, a quarter."""
    used = [len(block.conv2.bias) for block in blocks]
    for k, following in enumerate(blocks[1:]):
        if following.low:
            used[k] = len(following.conv1.depthwise)
    return used


def _first_rows(weight: Tensor, count: int) -> Tensor:
    return weight[:count]
