"""StyleGAN2's operators on the C++ kernels; what they mean stands in `cuda_ops.stylegan2`.

Maps of features are channels-last in memory, as the kernels read and leave them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_ops import dispatch
from cuda_ops.cpu import stylegan2_library as library
from cuda_ops.cpu.library import TILES, lanes, products16
from cuda_ops.once import once
from cuda_ops.stylegan2 import SMOOTH, ModulatedConv, demodulation

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
SMALLEST = 64  # pixels of a map below which more weights cost more than more products
LARGE = 4096  # pixels of a map from which larger tiles pay: they have more weights


def upfirdn2d(
    x: Tensor, taps: Sequence[float], up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """Upsample, pad, filter, downsample: [N, C, H, W] -> [N, C, ...]."""
    x, filter_ = x.contiguous(), torch.tensor(taps, dtype=torch.float32)
    frames, channels, height, width = x.shape
    tall, wide = ((side * up + sum(pad) - len(taps)) // down + 1 for side in (height, width))
    result = x.new_empty(frames, channels, tall, wide)
    library.run(
        library.Fir(
            x.data_ptr(), result.data_ptr(), frames * channels, height, width, tall, wide,
            up, down, pad[0], len(taps), filter_.data_ptr(), torch.get_num_threads(),
        )
    )  # fmt: skip
    return result


def double(x: Tensor) -> Tensor:
    """Double a picture: [N, C, H, W] -> [N, C, 2H, 2W]."""
    return upfirdn2d(x, [2 * tap for tap in SMOOTH], up=2, pad=(2, 1))


def bias_act(
    x: Tensor,
    bias: Tensor,
    noise: Tensor | None = None,
    scale: Tensor | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Scale, add noise and bias, activate, clamp: [N, C, H, W] -> [N, C, H, W]."""
    channels = x.shape[1]
    finish = _Finish(bias, noise, scale, clamp)
    return _smooth(_channels_last(_pad(x, 1)), finish, filter_=False)[:, :channels]


def modulated_conv(x: Tensor, style: Tensor, conv: ModulatedConv) -> Tensor:
    """Modulated 3x3 convolution with all that follows it: [N, C, H, W] -> [N, D, H or 2H, ...]."""
    outputs = len(conv.bias)
    finish = _Finish(conv.bias, conv.noise, demodulation(style, conv.squares), conv.clamp)
    if x.shape[2] * x.shape[3] < SMALLEST:
        x = _channels_last(x * style[:, :, None, None])
        if conv.up:
            x = F.conv_transpose2d(x, once(conv.weight, _turned), stride=2)
        else:
            x = F.conv2d(x, once(conv.weight, _channels_last), padding=1)
        x = _channels_last(_pad(x, 1))
        return _smooth(x, finish, filter_=conv.up)[:, :outputs]
    x, style = _channels_last(_pad(x, 1)), _pad(style, 1).contiguous()
    frames, inputs, height, width = x.shape
    factor = 2 if conv.up else 1
    reduced = dispatch.reduced()
    tile, products = _way(conv.up, height * width, reduced)
    weights = once(conv.weight, products)
    result = _new_map(frames, outputs + -outputs % lanes(), factor * height, factor * width)
    library.run(
        library.Modulated(
            x.data_ptr(), style.data_ptr(), weights.data_ptr(), result.data_ptr(), frames, inputs,
            result.shape[1], height, width, conv.up, tile, reduced, finish.fields,
            torch.get_num_threads(),
        )
    )  # fmt: skip
    return result[:, :outputs]


def modulated_rgb(
    x: Tensor,
    style: Tensor,
    weight: Tensor,
    bias: Tensor,
    clamp: float | None = None,
    coarse: Tensor | None = None,
) -> Tensor:
    """Modulated 1x1 convolution to a picture, the coarser one added: [N, 3, H, W]."""
    weights = _pad(weight * style[:, None], 2).contiguous()
    x, bias = _channels_last(_pad(x, 1)), bias.contiguous()
    coarse = None if coarse is None else coarse.contiguous()
    frames, channels, height, width = x.shape
    result = x.new_empty(frames, 3, height, width)
    library.run(
        library.Colours(
            x.data_ptr(), weights.data_ptr(), bias.data_ptr(),
            None if coarse is None else coarse.data_ptr(), result.data_ptr(), frames, channels,
            height, width, -1.0 if clamp is None else clamp, torch.get_num_threads(),
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
        self.fields = library.Finish(
            None if self.scale is None else self.scale.data_ptr(),
            None if self.noise is None else self.noise.data_ptr(),
            self.bias.data_ptr(), -1.0 if clamp is None else clamp,
        )  # fmt: skip


def _smooth(x: Tensor, finish: _Finish, filter_: bool) -> Tensor:
    """Filter a map [N, C, H + 1, W + 1] to [N, C, H, W], or keep it as it is, and finish it."""
    frames, channels, height, width = x.shape
    result = _new_map(frames, channels, height - filter_, width - filter_)
    library.run(
        library.Smooth(
            x.data_ptr(), result.data_ptr(), frames, channels, height - filter_, width - filter_,
            filter_, finish.fields, torch.get_num_threads(),
        )
    )  # fmt: skip
    return result


def same_products(weight: Tensor) -> Tensor:
    """Transform and pack weights [D, C, 3, 3] for a convolution that keeps the size."""
    return _products(weight, SAME)


def same6_products(weight: Tensor) -> Tensor:
    """As `same_products`, for tiles of 6 pixels."""
    return _products(weight, SAME6)


def up_products(weight: Tensor) -> Tensor:
    """Transform and pack weights [D, C, 3, 3] for the transposed convolution."""
    return _products(weight, UP)


def same_products16(weight: Tensor) -> Tensor:
    """As `same_products`, in bf16 as InBf16 of toom.h reads it."""
    return _paired(_products(weight, SAME))


def up_products16(weight: Tensor) -> Tensor:
    """As `up_products`, in bf16 as InBf16 of toom.h reads it."""
    return _paired(_products(weight, UP))


def direct_products(weight: Tensor) -> Tensor:
    """Pack weights [D, C, 3, 3] in bf16 as direct.h reads them; the size stays."""
    return _tiles(weight, SAME_ORDER)


def direct_up_products(weight: Tensor) -> Tensor:
    """As `direct_products`, for the transposed convolution."""
    return _tiles(weight, UP_ORDER)


# side of a tile of pixels, 0 for AMX tiles, and how weights are packed; by `up`
Way = tuple[int, Callable[[Tensor], Tensor]]
FLOATS: dict[bool, Way] = {False: (4, same_products), True: (3, up_products)}
LARGER: Way = 6, same6_products
DOTTED: dict[bool, Way] = {False: (4, same_products16), True: (3, up_products16)}
DIRECT: dict[bool, Way] = {False: (0, direct_products), True: (0, direct_up_products)}


def _way(up: bool, pixels: int, reduced: bool) -> Way:
    """Return how a map is convolved: in bf16 by AMX tiles where there are any."""
    if reduced:
        return DIRECT[up] if products16() == TILES else DOTTED[up]
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
