"""MobileStyleGAN's operators on the GPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cuda_ops.backend import Backend, rgb8
from cuda_ops.cuda import library
from cuda_ops.operands import Head, MobileBlock, Picture, SeparableConv


class MobileKernels(Backend):
    """The forward pass, without gradients; one pass a convolution."""

    def separable_conv(self, x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, D, H, W]."""
        return _convolve(x, None, style, conv)

    def mobile_block(
        self, x: Tensor, up: Tensor, style1: Tensor, style2: Tensor, block: MobileBlock
    ) -> Tensor:
        """As `Backend`: [N, 4C, H, W] -> [N, D, 2H, 2W]."""
        x = _convolve(x, up, style1, block.conv1, low=block.low)
        return _convolve(x, None, style2, block.conv2)

    def to_image(self, x: Tensor, style: Tensor, head: Head) -> Tensor:
        """As `Backend`: [N, C, H, W] -> pictures [N, 3, ...]."""
        return _head(x, style, head, Picture.COLOURS if head.colours else Picture.HAAR)

    def mobile_network_rgb8(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> bytes [N, ..., 3]."""
        if head.colours:
            return rgb8(self.mobile_network(x, styles, blocks, head))
        return _head(self._features(x, styles, blocks), styles[-1], head, Picture.BYTES)


def _convolve(
    x: Tensor,
    gain: Tensor | None,
    style: Tensor,
    conv: SeparableConv,
    low: bool = False,
) -> Tensor:
    """Convolve a map: as it is, times half the gain when `low`, else transformed with the gain."""
    haar = gain is not None and not low
    scale = 2 if haar else 1
    x = x if x[0].is_contiguous() else x.contiguous()  # frames may lie apart
    weights = [t.contiguous() for t in (conv.depthwise, conv.pointwise, conv.noise, conv.bias)]
    style = _rows(style)
    gain = None if gain is None else _rows(gain)
    frames, height, width = len(x), scale * x.shape[2], scale * x.shape[3]
    outputs, inputs = conv.pointwise.shape
    result = x.new_empty(frames, outputs, height, width)
    depthwise, pointwise, noise, bias = (t.data_ptr() for t in weights)
    job = library.Separable(
        source=x.data_ptr(), source_stride=x.stride(0),
        gain=None if gain is None else gain.data_ptr(),
        gain_stride=0 if gain is None else gain.stride(0), gain_factor=0.5 if low else 1.0,
        haar=haar, depthwise=depthwise, pointwise=pointwise, noise=noise, bias=bias,
        style=style.data_ptr(), style_stride=style.stride(0), result=result.data_ptr(),
        frames=frames, inputs=inputs, outputs=outputs, height=height, width=width,
    )  # fmt: skip
    return library.launch(job, result)


def _head(x: Tensor, style: Tensor, head: Head, kind: Picture) -> Tensor:
    x, style = x.contiguous(), _rows(style)
    weight, bias = head.weight.contiguous(), head.bias.contiguous()
    scale = 1 if kind == Picture.COLOURS else 2
    frames, inputs, height, width = x.shape
    if kind == Picture.BYTES:
        shape = (frames, scale * height, scale * width, 3)
        result = x.new_empty(shape, dtype=torch.uint8)
    else:
        result = x.new_empty(frames, 3, scale * height, scale * width)
    job = library.PictureHead(
        source=x.data_ptr(), weight=weight.data_ptr(), bias=bias.data_ptr(),
        style=style.data_ptr(), style_stride=style.stride(0), result=result.data_ptr(),
        frames=frames, inputs=inputs, height=height, width=width, kind=kind,
    )  # fmt: skip
    return library.launch(job, result)


def _rows(style: Tensor) -> Tensor:
    """Return [N, C] with every row contiguous; rows may lie apart."""
    return style if style.stride(1) == 1 else style.contiguous()
