"""Small networks of random constants for the kernels, and how near two results must be."""

from __future__ import annotations

import torch

from cuda_ops import Head, MobileBlock, SeparableConv

TOLERANCE = 1e-4  # of the largest value

# frames, channels in, channels out, height, width: those of the network, and odd ones
SHAPES = [
    (1, 128, 512, 8, 8), (2, 512, 512, 16, 16), (1, 128, 512, 32, 32), (1, 32, 64, 64, 128),
    (1, 64, 64, 48, 160), (3, 1, 1, 2, 2), (1, 3, 5, 6, 10), (2, 7, 13, 10, 34), (1, 17, 11, 4, 66),
    (5, 9, 30, 12, 2), (1, 2, 23, 130, 6), (9, 40, 20, 4, 4),
]  # fmt: skip


def separable(inputs: int, outputs: int, height: int, width: int) -> SeparableConv:
    """A convolution of random constants that keeps the size of its signal."""
    return SeparableConv(
        torch.randn(inputs, 3, 3) / 3,
        torch.randn(outputs, inputs) / inputs**0.5,
        torch.randn(height, width),
        torch.randn(outputs),
    )


def assert_close(got: torch.Tensor, wanted: torch.Tensor) -> None:
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= TOLERANCE * wanted.abs().max()


def small_network(
    frames: int, lows: int = 0
) -> tuple[torch.Tensor, list[torch.Tensor], list[MobileBlock], Head]:
    """A network of three blocks on 4x4, the last `lows` of them low; every constant random."""
    channels, side = [32, 24, 16, 8], 4
    blocks, styles = [], []
    for k in range(3):
        low, inputs, outputs = k >= 3 - lows, channels[k] // 4, channels[k + 1]
        side = side if low else 2 * side
        convs = separable(inputs, outputs, side, side), separable(outputs, outputs, side, side)
        blocks.append(MobileBlock(*convs, low=low))
        styles += [torch.randn(frames, n) for n in (channels[k], inputs, outputs)]
    styles.append(torch.randn(frames, 8))
    rows = 3 if lows else 12
    head = Head(torch.randn(rows, 8) / 100, torch.randn(rows) / 100)
    return torch.randn(frames, 32, 4, 4), styles, blocks, head
