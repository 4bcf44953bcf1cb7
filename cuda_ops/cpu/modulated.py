"""StyleGAN2's operators on the C++ kernels.

Maps of features are channels-last in memory, as the kernels read and leave them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import IntEnum

import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_ops.backend import Backend, demodulation
from cuda_ops.cpu import abi, library
from cuda_ops.cpu.library import Products16, lanes
from cuda_ops.derived import once
from cuda_ops.operands import SMOOTH_UP, ModulatedConv

Rows = tuple[tuple[float, float, float], ...]


def tap_rows(*points: float) -> Rows:
    """Return how three taps become products, at 0, plus and minus the points, and infinity.

    The rows of the matrix G of Lavin & Gray 2015 (arXiv 1509.09308), [2 + 2 points][3].
    """
    squares = [point**2 for point in points]
    rows = [((-1) ** len(points) / math.prod(squares), 0.0, 0.0)]
    for point, square in zip(points, squares, strict=True):
        k = 0.5 / (square * math.prod(square - other for other in squares if other != square))
        rows += [(k, sign * k * point, k * square) for sign in (1, -1)]
    return (*rows, (0.0, 0.0, 1.0))


# The transforms of `Same`, `Same6` and `Up` in toom.h.
POINTS, POINTS6 = (0.625, 1.5), (0.5, 1.0, 1.5)
SAME, SAME6 = tap_rows(*POINTS), tap_rows(*POINTS6)
UP = ((0.0, 0.0, 1.0), (0.5, 0.0, 0.5), (-0.5, 0.0, 0.5), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
# Taps in the order direct.h takes them: row by row; the four kinds of pixels one after the other.
SAME_ORDER = tuple((row, column) for row in range(3) for column in range(3))
UP_ORDER = ((0, 0), (0, 2), (2, 0), (2, 2), (0, 1), (2, 1), (1, 0), (1, 2), (1, 1))
NO_CLAMP = -1.0
SMALLEST = 64  # pixels of a map below which more weights cost more than more products
LARGE = 4096  # pixels of a map from which larger tiles pay: they have more weights


class ModulatedKernels(Backend):
    """The forward pass, without gradients."""

    def upfirdn2d(
        self,
        x: Tensor,
        taps: Sequence[float],
        up: int = 1,
        down: int = 1,
        pad: tuple[int, int] = (0, 0),
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, C, ...]."""
        x, filter_ = x.contiguous(), torch.tensor(taps, dtype=torch.float32)
        frames, channels, height, width = x.shape
        tall, wide = ((side * up + sum(pad) - len(taps)) // down + 1 for side in (height, width))
        result = x.new_empty(frames, channels, tall, wide)
        library.run(
            abi.Fir(
                source=x.data_ptr(), result=result.data_ptr(), planes=frames * channels,
                height=height, width=width, out_height=tall, out_width=wide, up=up, down=down,
                pad=pad[0], count=len(taps), taps=filter_.data_ptr(),
                threads=torch.get_num_threads(),
            )
        )  # fmt: skip
        return result

    def double(self, x: Tensor) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, C, 2H, 2W]."""
        return self.upfirdn2d(x, SMOOTH_UP, up=2, pad=(2, 1))

    def bias_act(
        self,
        x: Tensor,
        bias: Tensor,
        noise: Tensor | None = None,
        scale: Tensor | None = None,
        clamp: float | None = None,
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, C, H, W]."""
        channels = x.shape[1]
        finish = _Finish(bias, noise, scale, clamp)
        return _smooth(_channels_last(_pad(x, 1)), finish, filter_=False)[:, :channels]

    def modulated_conv(self, x: Tensor, style: Tensor, conv: ModulatedConv) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, D, H, W], or twice as large.

        The result's map is channels-last.
        """
        scale = demodulation(style, conv.squares)
        finish = _Finish(conv.bias, conv.noise, scale, conv.clamp)
        if x.shape[2] * x.shape[3] < SMALLEST:
            return _convolve_small(x, style, conv, finish)[:, : len(conv.bias)]
        return _convolve(x, style, conv, finish)[:, : len(conv.bias)]

    def modulated_rgb(
        self,
        x: Tensor,
        style: Tensor,
        weight: Tensor,
        bias: Tensor,
        clamp: float | None = None,
        coarse: Tensor | None = None,
    ) -> Tensor:
        """As `Backend`: [N, C, H, W] -> [N, 3, H, W]."""
        weights = _pad(weight * style[:, None], 2).contiguous()
        x, bias = _channels_last(_pad(x, 1)), bias.contiguous()
        coarse = None if coarse is None else coarse.contiguous()
        frames, channels, height, width = x.shape
        result = x.new_empty(frames, 3, height, width)
        library.run(
            abi.Colours(
                source=x.data_ptr(), weight=weights.data_ptr(), bias=bias.data_ptr(),
                coarse=None if coarse is None else coarse.data_ptr(), result=result.data_ptr(),
                frames=frames, channels=channels, height=height, width=width,
                clamp=NO_CLAMP if clamp is None else clamp, threads=torch.get_num_threads(),
            )
        )  # fmt: skip
        return result


def _convolve_small(x: Tensor, style: Tensor, conv: ModulatedConv, finish: _Finish) -> Tensor:
    """Convolve a small map with torch's products: [N, D or more, ...]."""
    x = _channels_last(x * style[:, :, None, None])
    if conv.up:
        x = F.conv_transpose2d(x, once(conv.weight, _turned), stride=2)
    else:
        x = F.conv2d(x, once(conv.weight, _channels_last), padding=1)
    return _smooth(_channels_last(_pad(x, 1)), finish, filter_=conv.up)


def _convolve(x: Tensor, style: Tensor, conv: ModulatedConv, finish: _Finish) -> Tensor:
    """Convolve a map by tiles: [N, D filled up to whole vectors, ...]."""
    x, style = _channels_last(_pad(x, 1)), _pad(style, 1).contiguous()
    frames, inputs, height, width = x.shape
    factor = 2 if conv.up else 1
    reduced = library.in_bf16()
    tile, products = _way(conv.up, height * width, reduced)
    weights = once(conv.weight, products)
    outputs = len(conv.bias) + -len(conv.bias) % lanes()
    result = _new_map(frames, outputs, factor * height, factor * width)
    library.run(
        abi.Modulated(
            source=x.data_ptr(), style=style.data_ptr(), weights=weights.data_ptr(),
            result=result.data_ptr(), frames=frames, inputs=inputs, outputs=outputs,
            height=height, width=width, up=conv.up, tile=tile, bf16=reduced,
            finish=finish.fields, threads=torch.get_num_threads(),
        )
    )  # fmt: skip
    return result


class _Finish:
    """What follows a convolution; keeps the tensors it points at alive."""

    def __init__(
        self, bias: Tensor, noise: Tensor | None, scale: Tensor | None, clamp: float | None
    ) -> None:
        self.bias = _pad(bias, 0).contiguous()
        self.noise = None if noise is None else noise.contiguous()
        self.scale = None if scale is None else _pad(scale, 1).contiguous()
        self.fields = abi.Finish(
            scale=None if self.scale is None else self.scale.data_ptr(),
            noise=None if self.noise is None else self.noise.data_ptr(),
            bias=self.bias.data_ptr(), clamp=NO_CLAMP if clamp is None else clamp,
        )  # fmt: skip


def _smooth(x: Tensor, finish: _Finish, filter_: bool) -> Tensor:
    """Filter a map [N, C, H + 1, W + 1] to [N, C, H, W], or keep it as it is, and finish it."""
    frames, channels, height, width = x.shape
    result = _new_map(frames, channels, height - filter_, width - filter_)
    library.run(
        abi.Smooth(
            source=x.data_ptr(), result=result.data_ptr(), frames=frames, channels=channels,
            height=height - filter_, width=width - filter_, filter=filter_, finish=finish.fields,
            threads=torch.get_num_threads(),
        )
    )  # fmt: skip
    return result


def same_products(weight: Tensor) -> Tensor:
    """Transform and pack weights [D, C, 3, 3] for a convolution that keeps the size."""
    return _products(weight, SAME)


def same6_products(weight: Tensor) -> Tensor:
    """As `same_products` of weights [D, C, 3, 3], for tiles of 6 pixels."""
    return _products(weight, SAME6)


def up_products(weight: Tensor) -> Tensor:
    """Transform and pack weights [D, C, 3, 3] for the transposed convolution."""
    return _products(weight, UP)


def same_products16(weight: Tensor) -> Tensor:
    """As `same_products` of weights [D, C, 3, 3], in bf16 as InBf16 of toom.h reads it."""
    return _paired(_products(weight, SAME))


def up_products16(weight: Tensor) -> Tensor:
    """As `up_products` of weights [D, C, 3, 3], in bf16 as InBf16 of toom.h reads it."""
    return _paired(_products(weight, UP))


def direct_products(weight: Tensor) -> Tensor:
    """Pack weights [D, C, 3, 3] in bf16 as direct.h reads them; the size stays."""
    return _tiles(weight, SAME_ORDER)


def direct_up_products(weight: Tensor) -> Tensor:
    """As `direct_products` of weights [D, C, 3, 3], for the transposed convolution."""
    return _tiles(weight, UP_ORDER)


class Tile(IntEnum):
    """FacecodecTile of stylegan2_abi.h: the side of a tile in pixels, or AMX tiles."""

    AMX = 0
    UP = 3
    SAME = 4
    SAME6 = 6


# What a map is cut into and how weights are packed for that; by `up`.
Way = tuple[Tile, Callable[[Tensor], Tensor]]
FLOATS: dict[bool, Way] = {False: (Tile.SAME, same_products), True: (Tile.UP, up_products)}
LARGER: Way = Tile.SAME6, same6_products
DOTTED: dict[bool, Way] = {False: (Tile.SAME, same_products16), True: (Tile.UP, up_products16)}
DIRECT: dict[bool, Way] = {
    False: (Tile.AMX, direct_products),
    True: (Tile.AMX, direct_up_products),
}


def _way(up: bool, pixels: int, reduced: bool) -> Way:
    """Return how a map is convolved: in bf16 by AMX tiles where there are any."""
    if reduced:
        return DIRECT[up] if library.products16() == Products16.TILES else DOTTED[up]
    return LARGER if pixels >= LARGE and not up else FLOATS[up]


def _paired(packed: Tensor) -> Tensor:
    """Round [..., C, panel] to bf16 and put channels in pairs, [..., C / 2, panel, 2]."""
    result: Tensor = packed.bfloat16().unflatten(-2, (-1, 2)).transpose(-1, -2).contiguous()
    return result


def _products(weight: Tensor, rows: Sequence[Sequence[float]]) -> Tensor:
    """Return [D / panel, products, C, panel], D and C filled up with zeros."""
    transform, panel = torch.tensor(rows, dtype=torch.float64), 2 * lanes()
    weight = F.pad(_pad(weight, 1), (0, 0, 0, 0, 0, 0, 0, -len(weight) % panel))
    outputs, inputs = weight.shape[:2]
    packed = weight.new_empty(outputs // panel, len(rows) ** 2, inputs, panel)
    for part, into in zip(weight.split(panel), packed, strict=True):
        products = torch.einsum("pi,dcij,qj->pqcd", transform, part.double(), transform)
        into.copy_(products.reshape(len(rows) ** 2, inputs, panel))
    return packed


def _tiles(weight: Tensor, order: Sequence[tuple[int, int]]) -> Tensor:
    """Return [D / 32, taps, C / 32, 2, 16, 16, 2]: halves of outputs, pairs of inputs, in bf16."""
    outputs, inputs = weight.shape[:2]
    weight = F.pad(weight, (0, 0, 0, 0, 0, -inputs % 32, 0, -outputs % 32))
    rows = [index[0] for index in order], [index[1] for index in order]
    taps = weight[:, :, rows[0], rows[1]].unflatten(1, (-1, 16, 2)).unflatten(0, (-1, 2, 16))
    result: Tensor = taps.permute(0, 6, 3, 1, 4, 2, 5).bfloat16().contiguous()
    return result


def _turned(weight: Tensor) -> Tensor:
    return _channels_last(weight.transpose(0, 1))


def _pad(x: Tensor, axis: int) -> Tensor:
    """Fill an axis up with zeros to whole vectors."""
    missing = -x.shape[axis] % lanes()
    return F.pad(x, (0, 0) * (x.dim() - 1 - axis) + (0, missing)) if missing else x


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _new_map(frames: int, channels: int, height: int, width: int) -> Tensor:
    return torch.empty(frames, channels, height, width, memory_format=torch.channels_last)
