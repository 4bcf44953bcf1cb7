"""MobileStyleGAN's operators on the C++ kernels; what they mean stands in `cuda_ops.reference`."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from cuda_ops import dispatch
from cuda_ops.cpu import library
from cuda_ops.cpu.packing import padded_rows, product_weights, product_weights16
from cuda_ops.mobilestylegan import Head, MobileBlock, channels_used
from cuda_ops.once import once
from cuda_ops.reference import SeparableConv, rgb8

COLOURS, HAAR, BYTES = 1, 2, 3  # FacecodecBlock.head
GROUP_FLOATS = 1 << 24  # of the largest map of frames that go through the network together

_local = threading.local()


class _Call:
    """A block being put together; keeps the tensors it points at alive until it has run."""

    def __init__(self, x: Tensor, channels: int, haar: bool, reduced: bool | None = None) -> None:
        self.reduced = dispatch.reduced() if reduced is None else reduced
        x = _rows(x)
        self.kept: list[Tensor] = [x]
        scale = 2 if haar else 1
        self.height, self.width = scale * x.shape[2], scale * x.shape[3]
        self.block = library.Block(
            source=x.data_ptr(), source_stride=x.stride(0), gain_factor=1.0, haar=haar,
            frames=len(x), channels=channels, height=self.height, width=self.width,
            threads=torch.get_num_threads(),
        )  # fmt: skip

    def gain(self, gain: Tensor, factor: float = 1.0) -> None:
        self.block.gain, self.block.gain_stride = self._style(gain)
        self.block.gain_factor = factor

    def conv(self, conv: SeparableConv, style: Tensor, used: int | None = None) -> None:
        style_at, stride = self._style(style)
        outputs, inputs = conv.pointwise.shape
        products16 = library.products16() if self.reduced else 0
        pointwise = once(conv.pointwise, product_weights16 if products16 else product_weights)
        noise = once(conv.noise, padded_rows)
        self.block.conv[self.block.convs] = library.Conv(
            self._keep(conv.depthwise), self._keep(pointwise), self._keep(noise),
            self._keep(conv.bias), style_at, stride, inputs, used or outputs,
            outputs, products16,
        )  # fmt: skip
        self.block.convs += 1

    def head(self, kind: int, head: Head, style: Tensor) -> None:
        self.block.head = kind
        self.block.head_weight = self._keep(head.weight)
        self.block.head_bias = self._keep(head.bias)
        self.block.head_style, self.block.head_stride = self._style(style)

    def run(self, result: Tensor) -> Tensor:
        self.block.result = result.data_ptr()
        library.run_block(self.block)
        return result

    def _style(self, style: Tensor) -> tuple[int, int]:
        if style.stride(1) != 1:
            style = style.contiguous()
        self.kept.append(style)
        return style.data_ptr(), style.stride(0)

    def _keep(self, tensor: Tensor) -> int:
        tensor = tensor.contiguous()
        self.kept.append(tensor)
        return tensor.data_ptr()


def separable_conv(
    x: Tensor, style: Tensor, conv: SeparableConv, reduced: bool | None = None
) -> Tensor:
    """One convolution: [N, C, H, W] -> [N, D, H, W]; `reduced` overrides the chosen precision."""
    call = _Call(x, x.shape[1], haar=False, reduced=reduced)
    call.conv(conv, style)
    return call.run(x.new_empty(len(x), len(conv.bias), call.height, call.width))


def scaled_haar(x: Tensor, gain: Tensor) -> Tensor:
    """Scale by gain [N, 4C] and transform: [N, 4C, H, W] -> [N, C, 2H, 2W]."""
    call = _Call(x, x.shape[1] // 4, haar=True, reduced=False)
    call.gain(gain)
    return call.run(x.new_empty(len(x), x.shape[1] // 4, call.height, call.width))


def mobile_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block: [N, 4C, H, W] -> [N, D, 2H, 2W]."""
    call = _block(x, up, style1, style2, MobileBlock(conv1, conv2))
    return call.run(x.new_empty(len(x), len(conv2.bias), call.height, call.width))


def low_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block at its input's size: [N, >= C, H, W] -> [N, D, H, W]."""
    call = _block(x, up, style1, style2, MobileBlock(conv1, conv2, low=True))
    return call.run(x.new_empty(len(x), len(conv2.bias), call.height, call.width))


def to_image(x: Tensor, style: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Head alone: [N, C, H, W] -> [N, 3, 2H, 2W], or [N, 3, H, W] with three rows of weights."""
    call = _Call(x, x.shape[1], haar=False)
    head = Head(weight, bias)
    call.head(_kind(head, bytes_=False), head, style)
    return call.run(_picture(call, len(x), bytes_=False))


def mobile_network(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Blocks and head: [N, C, H, W] -> [N, 3, ...]."""
    return _network(x, styles, blocks, head, bytes_=False)


def mobile_network_rgb8(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
) -> Tensor:
    """Blocks and head, to bytes: [N, C, H, W] -> [N, ..., 3] uint8."""
    if len(head.weight) == 3:
        return rgb8(mobile_network(x, styles, blocks, head))
    return _network(x, styles, blocks, head, bytes_=True)


def _network(
    x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head, bytes_: bool
) -> Tensor:
    """Run frames in groups whose maps stay small, so that a batch needs no more memory than they.

    Maps between blocks lie in two buffers that are kept: fresh memory costs more than the sums.
    """
    used = channels_used(blocks)
    reduced = dispatch.reduced(seen=bytes_)
    group = max(1, GROUP_FLOATS // _largest_map(x, blocks, used))
    pictures: list[Tensor] = []
    for first in range(0, len(x), group):
        part = slice(first, first + group)
        y = x[part]
        for k, block in enumerate(blocks):
            up, style1, style2 = (style[part] for style in styles[3 * k : 3 * k + 3])
            call = _block(y, up, style1, style2, block, used[k], reduced)
            if k == len(blocks) - 1:
                call.head(_kind(head, bytes_), head, styles[-1][part])
                pictures.append(call.run(_picture(call, len(y), bytes_)))
            else:
                shape = (len(y), used[k], call.height, call.width)
                y = call.run(_buffer(k % 2, shape))
    return pictures[0] if len(pictures) == 1 else torch.cat(pictures)


def _largest_map(x: Tensor, blocks: Sequence[MobileBlock], used: Sequence[int]) -> int:
    """Return the floats of the largest map between the blocks, of one frame."""
    largest, pixels = 1, x.shape[2] * x.shape[3]
    for block, channels in zip(blocks[:-1], used, strict=False):
        pixels *= 1 if block.low else 4
        largest = max(largest, pixels * channels)
    return largest


def _block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    block: MobileBlock,
    outputs: int | None = None,
    reduced: bool | None = None,
) -> _Call:
    call = _Call(x, up.shape[1] // 4, haar=not block.low, reduced=reduced)
    call.gain(up, 0.5 if block.low else 1.0)
    call.conv(block.conv1, style1)
    call.conv(block.conv2, style2, outputs)
    return call


def _kind(head: Head, bytes_: bool) -> int:
    if len(head.weight) == 3:
        return COLOURS
    return BYTES if bytes_ else HAAR


def _picture(call: _Call, frames: int, bytes_: bool) -> Tensor:
    scale = 1 if call.block.head == COLOURS else 2
    height, width = scale * call.height, scale * call.width
    if bytes_:
        return torch.empty(frames, height, width, 3, dtype=torch.uint8)
    return torch.empty(frames, 3, height, width)


def _rows(x: Tensor) -> Tensor:
    """Return x with every frame's map contiguous; frames may lie apart."""
    return x if x[0].is_contiguous() else x.contiguous()


def _buffer(which: int, shape: tuple[int, ...]) -> Tensor:
    """Return this thread's buffer number `which`, grown when too small."""
    buffers: dict[int, Tensor] = _local.__dict__.setdefault("buffers", {})
    count = torch.Size(shape).numel()
    if which not in buffers or buffers[which].numel() < count:
        buffers[which] = torch.empty(count)
    return buffers[which][:count].view(shape)
