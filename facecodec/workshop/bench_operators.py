"""What the bench calls: the operators of a generator one by one, each on what reaches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import cuda_ops
from facecodec.generator.base import Generator
from facecodec.generator.mobilestylegan import MobileStyleGAN
from facecodec.generator.stylegan2 import StyleGAN2
from facecodec.generator.stylegan2_layout import Layout

Case = tuple[str, int, Callable[[], Any]]  # name, frames, call

WIDEST, BASE = 512, 32768  # channels of configuration f: base / side, at most the widest


def operator_cases(generator: Generator, styles: Tensor) -> Iterator[Case]:
    """Yield every operator of a generator on styles [1, num_styles]."""
    if isinstance(generator, MobileStyleGAN):
        yield from _mobilestylegan(generator, styles)
    if isinstance(generator, StyleGAN2):
        yield from _stylegan2(generator, styles)


def without_grad(call: Callable[..., Tensor], *arguments: Any) -> Callable[[], Any]:
    """Return a call that builds no graph for gradients, of tensors [...]."""

    @torch.inference_mode()
    def run() -> Tensor:
        """Return the operator's result [...]."""
        return call(*arguments)

    return run


def random_stylegan2(size: int) -> StyleGAN2:
    """Return a StyleGAN2 of configuration f with random weights: its pictures are noise."""
    sides = [4 << k for k in range(size.bit_length() - 2)]
    layout = Layout(tuple(min(WIDEST, BASE // side) for side in sides), 8, noise=True, clamp=False)
    random = torch.Generator().manual_seed(0)
    tensors = {key: torch.randn(shape, generator=random) for key, shape in layout.shapes().items()}
    name = f"StyleGAN2 {size}, random"
    return StyleGAN2.from_tensors(tensors, name, "0" * 64).eval().requires_grad_(False)


def _mobilestylegan(generator: MobileStyleGAN, styles: Tensor) -> Iterator[Case]:
    with torch.no_grad():
        x, scales, blocks, head = generator.network(styles)
        for k, block in enumerate(blocks):
            up, style1, style2 = scales[3 * k : 3 * k + 3]
            arguments = (x, up, style1, style2, block)
            x = cuda_ops.mobile_block(*arguments)
            side = x.shape[-1]
            name = f"block {k}: {x.shape[1]} channels, {side}x{side}"
            yield name, 1, without_grad(cuda_ops.mobile_block, *arguments)
        arguments_head = (x, scales[-1], head)
        yield "to image", 1, without_grad(cuda_ops.to_image, *arguments_head)


def _stylegan2(generator: StyleGAN2, styles: Tensor) -> Iterator[Case]:
    with torch.no_grad():
        for kind, arguments, _ in generator.steps(styles):
            side = arguments[0].shape[-1]
            if kind is cuda_ops.modulated_conv:
                conv = arguments[2]
                side = 2 * side if conv.up else side
                name = f"{'up' if conv.up else 'conv'}: {len(conv.bias)} channels, {side}x{side}"
            else:
                name = f"to colours: {side}x{side}"
            yield name, 1, without_grad(kind, *arguments)
