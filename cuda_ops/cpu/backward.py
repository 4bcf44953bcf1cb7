"""The backward pass of a block or of one convolution, in one job of backward.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cuda_ops.cpu import abi, library
from cuda_ops.cpu.packing import transposed_weights, transposed_weights16
from cuda_ops.cpu.panels import PanelMap
from cuda_ops.derived import once
from cuda_ops.operands import Head, MobileBlock, Picture, SeparableConv

BANDS_A_THREAD = 4  # items of work, so that no thread waits long for the last one
BAND_ROWS = 32  # at least: neighbouring bands both compute the rows between them


class Gradients(NamedTuple):
    """Gradients to the source and, [N, C] each, to what scales channels.

    source: of the channels read. gain: of the source, None where there is none. styles: of the
    convolutions, and of the head.
    """

    source: PanelMap
    gain: Tensor | None
    styles: list[Tensor]


class BackCall:
    """A job being put together; keeps the tensors it points at until it has run.

    `x` is the source, `gradient` that of the result: a map, or a picture [N, 3, ...]. All maps are
    in bf16 where products are (`reduced`), else in float32.
    """

    def __init__(
        self, x: PanelMap, gradient: PanelMap | Tensor, channels: int, haar: bool, reduced: bool
    ) -> None:
        """`channels`: after the Haar transform, where one begins the block."""
        self.reduced, self.channels, self.scale = reduced, channels, 2 if haar else 1
        self.kept, self.sums = list[Tensor](), list[Tensor]()
        self.x, (frames, inputs, height, width) = x, x.shape
        threads = torch.get_num_threads()
        wanted = -(-BANDS_A_THREAD * threads // frames) if threads > 1 else 1
        self.bands = max(1, min(wanted, self.scale * height // BAND_ROWS))
        result = gradient.data if isinstance(gradient, PanelMap) else gradient
        self.job = abi.Backward(
            gradient=self._keep(result), source=self._keep(x.data), source_stride=x.data.stride(0),
            source_channels=inputs, gain_factor=1.0, haar=haar, frames=frames, channels=channels,
            height=self.scale * height, width=self.scale * width, bands=self.bands,
            threads=threads,
            products16=library.products16() if reduced else library.Products16.NONE,
        )  # fmt: skip
        self.to_gain: Tensor | None = None

    def gain(self, gain: Tensor, factor: float) -> None:
        """Scale the channels of the source by gain [N, C] and by `factor`."""
        self.job.gain, self.job.gain_stride = self._keep(gain), gain.stride(0)
        self.job.gain_factor = factor
        self.to_gain = self._sums(self.channels * self.scale**2)
        self.job.gain_gradient = self.to_gain.data_ptr()

    def conv(self, conv: SeparableConv, style: Tensor, made: PanelMap) -> None:
        """Add a convolution with style [N, C], which made the map `made`."""
        outputs, inputs = conv.pointwise.shape
        packed = once(conv.pointwise, transposed_weights16 if self.reduced else transposed_weights)
        self.sums.append(self._sums(inputs))
        self.job.conv[self.job.convs] = abi.BackConv(
            depthwise=self._keep(conv.depthwise.contiguous()), pointwise=self._keep(packed),
            kept=self._keep(made.data), style=self._keep(style), style_stride=style.stride(0),
            style_gradient=self.sums[-1].data_ptr(), inputs=inputs, outputs=outputs,
        )  # fmt: skip
        self.job.convs += 1

    def head(self, head: Head, style: Tensor) -> None:
        """Add the layer that made a picture, with style [N, C]."""
        self.job.head = Picture.COLOURS if head.colours else Picture.HAAR
        self.job.head_weight = self._keep(head.weight.contiguous())
        self.job.head_style, self.job.head_stride = self._keep(style), style.stride(0)
        self.sums.append(self._sums(style.shape[1]))
        self.job.head_gradient = self.sums[-1].data_ptr()

    def run(self) -> Gradients:
        """Run the job."""
        frames, _, height, width = self.x.shape
        shape = frames, self.channels * self.scale**2, height, width
        to_source = PanelMap.empty(shape, self.x.data.dtype)
        self.job.source_gradient = to_source.data.data_ptr()
        library.run(self.job)
        to_gain = None if self.to_gain is None else self.to_gain.sum(1)
        return Gradients(to_source, to_gain, [sums.sum(1) for sums in self.sums])

    def _sums(self, channels: int) -> Tensor:
        """Return room for a sum of every band and channel, [N, bands, C]."""
        return torch.empty(self.x.shape[0], self.bands, channels)

    def _keep(self, tensor: Tensor) -> int:
        self.kept.append(tensor)
        return tensor.data_ptr()


def of_block(
    x: PanelMap, block: MobileBlock, styles: Sequence[Tensor], made: Sequence[PanelMap],
    gradient: PanelMap | Tensor, reduced: bool,
) -> BackCall:  # fmt: skip
    """Return the job of one block whose source was x.

    styles: `up`, `style1`, `style2`, [N, C] each. made: what its two convolutions made. `gradient`:
    of the second's, or of the picture that a head made of it.
    """
    up, style1, style2 = styles
    call = BackCall(x, gradient, up.shape[1] // 4, not block.low, reduced)
    call.gain(up, 0.5 if block.low else 1.0)
    call.conv(block.conv1, style1, made[0])
    call.conv(block.conv2, style2, made[1])
    return call
