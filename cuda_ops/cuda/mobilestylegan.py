"""MobileStyleGAN's operators on the GPU; what they mean stands in `cuda_ops.reference`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cuda_ops.cuda import library
from cuda_ops.mobilestylegan import Head, MobileBlock, channels_used
from cuda_ops.reference import SeparableConv, rgb8

COLOURS, HAAR, BYTES = 1, 2, 3  # FacecodecHead.kind


def separable_conv(x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
    """One convolution: [N, C, H, W] -> [N, D, H, W]."""
    return _convolve(x, None, style, conv)


def mobile_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block: [N, 4C, H, W] -> [N, D, 2H, 2W]."""
    return _block(x, up, style1, style2, MobileBlock(conv1, conv2))


def low_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block at its input's size: [N, >= C, H, W] -> [N, D, H, W]."""
    return _block(x, up, style1, style2, MobileBlock(conv1, conv2, low=True))


def to_image(x: Tensor, style: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Head alone: [N, C, H, W] -> [N, 3, 2H, 2W], or [N, 3, H, W] with three rows of weights."""
    return _head(x, style, Head(weight, bias), bytes_=False)


def mobile_network(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Blocks and head: [N, C, H, W] -> [N, 3, ...]."""
    return _head(_features(x, styles, blocks), styles[-1], head, bytes_=False)


def mobile_network_rgb8(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Blocks and head, to bytes: [N, C, H, W] -> [N, ..., 3] uint8."""
    if len(head.weight) == 3:
        return rgb8(mobile_network(x, styles, blocks, head))
    return _head(_features(x, styles, blocks), styles[-1], head, bytes_=True)


def _features(x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock]) -> Tensor:
    for k, (block, used) in enumerate(zip(blocks, channels_used(blocks), strict=True)):
        up, style1, style2 = styles[3 * k : 3 * k + 3]
        x = _block(x, up, style1, style2, block, used)
    return x


def _block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    block: MobileBlock,
    outputs: int | None = None,
) -> Tensor:
    x = _convolve(x, up, style1, block.conv1, low=block.low)
    return _convolve(x, None, style2, block.conv2, outputs=outputs)


def _convolve(
    x: Tensor,
    gain: Tensor | None,
    style: Tensor,
    conv: SeparableConv,
    low: bool = False,
    outputs: int | None = None,
) -> Tensor:
    """Convolve a map: as it is, times half the gain when `low`, else transformed with the gain."""
    haar = gain is not None and not low
    scale = 2 if haar else 1
    x = x if x[0].is_contiguous() else x.contiguous()
    weights = [t.contiguous() for t in (conv.depthwise, conv.pointwise, conv.noise, conv.bias)]
    style = _rows(style)
    gain = None if gain is None else _rows(gain)
    frames, height, width = len(x), scale * x.shape[2], scale * x.shape[3]
    count, inputs = conv.pointwise.shape
    count = outputs or count
    result = x.new_empty(frames, count, height, width)
    job = library.Separable(
        x.data_ptr(), x.stride(0), None if gain is None else gain.data_ptr(),
        0 if gain is None else gain.stride(0), 0.5 if low else 1.0, haar,
        *(t.data_ptr() for t in weights), style.data_ptr(), style.stride(0), result.data_ptr(),
        frames, inputs, count, height, width,
    )  # fmt: skip
    return library.launch(job, result)


def _head(x: Tensor, style: Tensor, head: Head, bytes_: bool) -> Tensor:
    x, style = x.contiguous(), _rows(style)
    weight, bias = head.weight.contiguous(), head.bias.contiguous()
    kind = COLOURS if len(weight) == 3 else BYTES if bytes_ else HAAR
    scale = 1 if kind == COLOURS else 2
    frames, inputs, height, width = x.shape
    if bytes_:
        shape: tuple[int, ...] = (frames, scale * height, scale * width, 3)
        result = x.new_empty(shape, dtype=torch.uint8)
    else:
        result = x.new_empty(frames, 3, scale * height, scale * width)
    job = library.PictureHead(
        x.data_ptr(), weight.data_ptr(), bias.data_ptr(), style.data_ptr(), style.stride(0),
        result.data_ptr(), frames, inputs, height, width, kind,
    )  # fmt: skip
    return library.launch(job, result)


def _rows(style: Tensor) -> Tensor:
    """Return [N, C] with every row contiguous; rows may lie apart."""
    return style if style.stride(1) == 1 else style.contiguous()
