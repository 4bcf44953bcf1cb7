"""MobileStyleGAN's operators on the C++ kernels, a block with all its stages in one call."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from cuda_ops.backend import Backend, rgb8
from cuda_ops.cpu import abi, library
from cuda_ops.cpu.packing import padded_rows, product_weights, product_weights16
from cuda_ops.cpu.panels import Layout, PanelMap, map_type
from cuda_ops.derived import once
from cuda_ops.operands import Head, MobileBlock, Picture, SeparableConv, channels_used

GROUP_FLOATS = 1 << 24  # of the largest map of frames that go through the network together

_local = threading.local()


class MobileKernels(Backend):
    """The forward pass, without gradients."""

    def separable_conv(self, x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, D, H, W]."""
        return convolve(x, style, conv, library.in_bf16())

    def mobile_block(
        self, x: Tensor, up: Tensor, style1: Tensor, style2: Tensor, block: MobileBlock
    ) -> Tensor:
        """As `Backend`: [N, 4C, H, W] -> [N, D, 2H, 2W]."""
        call = block_call(x, (up, style1, style2), block, len(block.conv2.bias), library.in_bf16())
        return call.run(x.new_empty(len(x), len(block.conv2.bias), call.height, call.width))

    def to_image(self, x: Tensor, style: Tensor, head: Head) -> Tensor:
        """As `Backend`: [N, C, H, W] -> pictures [N, 3, ...]."""
        call = Call(x, x.shape[1], haar=False, reduced=False)
        call.head(Picture.COLOURS if head.colours else Picture.HAAR, head, style)
        return call.run(new_picture(call, len(x)))

    def mobile_network(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> pictures [N, 3, ...]."""
        kind = Picture.COLOURS if head.colours else Picture.HAAR
        return _network(x, styles, blocks, head, kind)

    def mobile_network_rgb8(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> bytes [N, ..., 3]."""
        if head.colours:
            return rgb8(self.mobile_network(x, styles, blocks, head))
        return _network(x, styles, blocks, head, Picture.BYTES)


def convolve(x: Tensor, style: Tensor, conv: SeparableConv, reduced: bool) -> Tensor:
    """Convolve x [N, C, H, W] as `Backend.separable_conv` does, to [N, D, H, W].

    reduced: products in bf16.
    """
    call = Call(x, x.shape[1], haar=False, reduced=reduced)
    call.conv(conv, style, len(conv.bias))
    return call.run(x.new_empty(len(x), len(conv.bias), call.height, call.width))


def scaled_haar(x: Tensor, gain: Tensor) -> Tensor:
    """Scale by gain [N, 4C] and transform by inverse Haar: [N, 4C, H, W] -> [N, C, 2H, 2W]."""
    call = Call(x, x.shape[1] // 4, haar=True, reduced=False)
    call.gain(gain)
    return call.run(x.new_empty(len(x), x.shape[1] // 4, call.height, call.width))


class Call:
    """A job of block.cpp being put together; keeps the tensors it points at until it has run.

    Maps are in the source's layout and type: planar, or in panels of float32 or bfloat16.
    """

    def __init__(self, x: Tensor | PanelMap, channels: int, haar: bool, reduced: bool) -> None:
        self.reduced = reduced
        frames, inputs, height, width = x.shape
        if isinstance(x, PanelMap):
            source = x.data
            layout = Layout.PANELS16 if source.dtype == torch.bfloat16 else Layout.PANELS
        else:
            source, layout = x if x[0].is_contiguous() else x.contiguous(), Layout.PLANAR
        self.kept: list[Tensor] = [source]  # whose frames may lie apart
        scale = 2 if haar else 1
        self.height, self.width = scale * height, scale * width
        self.block = abi.Block(
            source=source.data_ptr(), source_stride=source.stride(0), source_channels=inputs,
            gain_factor=1.0, haar=haar, frames=frames, channels=channels, height=self.height,
            width=self.width, layout=layout, threads=torch.get_num_threads(),
        )  # fmt: skip

    def gain(self, gain: Tensor, factor: float = 1.0) -> None:
        """Scale the channels of the source by gain [N, C] and by `factor`."""
        self.block.gain, self.block.gain_stride = self._style(gain)
        self.block.gain_factor = factor

    def conv(self, conv: SeparableConv, style: Tensor, outputs: int) -> None:
        """Add a convolution with style [N, C], of which the first `outputs` channels are wanted."""
        style_at, stride = self._style(style)
        packed, inputs = conv.pointwise.shape
        pointwise = once(conv.pointwise, product_weights16 if self.reduced else product_weights)
        self.block.conv[self.block.convs] = abi.Conv(
            depthwise=self._keep(conv.depthwise), pointwise=self._keep(pointwise),
            noise=self._keep(once(conv.noise, padded_rows)), bias=self._keep(conv.bias),
            style=style_at, style_stride=stride, inputs=inputs, outputs=outputs, packed=packed,
            products16=library.products16() if self.reduced else library.Products16.NONE,
        )  # fmt: skip
        self.block.convs += 1

    def head(self, kind: Picture, head: Head, style: Tensor) -> None:
        """Add the layer that makes pictures, with style [N, C]."""
        self.block.head = kind
        self.block.head_weight = self._keep(head.weight)
        self.block.head_bias = self._keep(head.bias)
        self.block.head_style, self.block.head_stride = self._style(style)

    def keep(self, maps: Sequence[PanelMap]) -> None:
        """Keep what the convolutions make in `maps`, of the source's type."""
        for i, kept in enumerate(maps):
            self.block.kept[i] = kept.data.data_ptr()

    def run(self, result: Tensor) -> Tensor:
        """Run the job into `result`, a picture or the numbers of a map, and return it."""
        self.block.result = result.data_ptr()
        library.run(self.block)
        return result

    def _style(self, style: Tensor) -> tuple[int, int]:
        """Return where the first row of [N, C] begins and how far apart rows are."""
        if style.stride(1) != 1:
            style = style.contiguous()
        self.kept.append(style)
        return style.data_ptr(), style.stride(0)

    def _keep(self, tensor: Tensor) -> int:
        tensor = tensor.contiguous()
        self.kept.append(tensor)
        return tensor.data_ptr()


def _network(
    x: Tensor,
    styles: Sequence[Tensor],
    blocks: Sequence[MobileBlock],
    head: Head,
    kind: Picture,
) -> Tensor:
    """Run frames in groups whose maps stay small, so that a batch needs no more memory than they.

    Maps between blocks lie in two buffers that are kept: fresh memory costs more than the sums.
    """
    used = channels_used(blocks)
    reduced = library.in_bf16(seen=kind == Picture.BYTES)
    group = max(1, GROUP_FLOATS // _largest_map(x, blocks, used))
    pictures: list[Tensor] = []
    for first in range(0, len(x), group):
        part = slice(first, first + group)
        y = PanelMap.of(x[part], map_type(reduced))
        for k, block in enumerate(blocks):
            own = [style[part] for style in styles[3 * k : 3 * k + 3]]
            call = block_call(y, own, block, used[k], reduced)
            if k == len(blocks) - 1:
                call.head(kind, head, styles[-1][part])
                pictures.append(call.run(new_picture(call, y.shape[0])))
            else:
                y = _buffer(k % 2, (y.shape[0], used[k], call.height, call.width), y.data.dtype)
                call.run(y.data)
    return pictures[0] if len(pictures) == 1 else torch.cat(pictures)


def _largest_map(x: Tensor, blocks: Sequence[MobileBlock], used: Sequence[int]) -> int:
    """Return the floats of the largest map between the blocks, of one frame."""
    largest, pixels = 1, x.shape[2] * x.shape[3]
    for block, channels in zip(blocks[:-1], used, strict=False):
        pixels *= 1 if block.low else 4
        largest = max(largest, pixels * channels)
    return largest


def block_call(
    x: Tensor | PanelMap, styles: Sequence[Tensor], block: MobileBlock, outputs: int, reduced: bool
) -> Call:
    """Return the job of one block; styles: `up`, `style1`, `style2`."""
    up, style1, style2 = styles
    call = Call(x, up.shape[1] // 4, haar=not block.low, reduced=reduced)
    call.gain(up, 0.5 if block.low else 1.0)
    call.conv(block.conv1, style1, len(block.conv1.bias))
    call.conv(block.conv2, style2, outputs)
    return call


def new_picture(call: Call, frames: int) -> Tensor:
    """Return an empty picture [frames, ...] for a job that ends in one."""
    kind = Picture(call.block.head)
    scale = 1 if kind == Picture.COLOURS else 2
    height, width = scale * call.height, scale * call.width
    if kind == Picture.BYTES:
        return torch.empty(frames, height, width, 3, dtype=torch.uint8)
    return torch.empty(frames, 3, height, width)


def _buffer(which: int, shape: tuple[int, ...], dtype: torch.dtype) -> PanelMap:
    """Return a map [N, C, H, W] in this thread's buffer number `which`, grown when too small."""
    buffers: dict[tuple[int, torch.dtype], Tensor] = _local.__dict__.setdefault("buffers", {})
    whole = PanelMap.data_shape(shape)
    key, count = (which, dtype), torch.Size(whole).numel()
    if key not in buffers or buffers[key].numel() < count:
        buffers[key] = torch.empty(count, dtype=dtype)
    return PanelMap(buffers[key][:count].view(whole), shape[3])
