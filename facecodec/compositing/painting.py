"""A person painted into a frame: every pixel of the square, its alpha, its colour, its light."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.compositing import compiled
from facecodec.compositing.foreground import unmixed
from facecodec.compositing.placing import Window, sampled, unit_points
from facecodec.face.alignment import Alignment
from facecodec.face.crop import levels_of
from facecodec.face.matte import INPUT_SIZE, along_edges
from facecodec.types import Picture

SURELY_BEHIND = 0.01  # alpha up to which a pixel shows nothing of the person
BAND_PIXELS = 1 << 16  # that torch works on at once: what lies in the cache costs half

Sums = tuple[NDArray[Any], int]  # integers [S, S, 3], sums of so many pixels each
Fields = tuple[Tensor, Tensor]
There = tuple[Alignment, Window, int]


def paint(result: Picture, square: Sums, fields: Fields, there: There) -> None:
    """Lay the person whom a square shows into a part of a frame [H, W, 3], in place.

    square: of `summed_levels`. fields: [6, h, w], at every block of the part the line of the person
    (`edge_lines`), what is left of them at the square's ends, and the light that is added; and the
    person's `front_and_back` [6, s, s]. there: the square's place, the part, and the pixels of a
    block. In C++ where that can be built.
    """
    library = compiled.library()
    if library is None:
        _in_torch(result, square, fields, there)
    else:
        compiled.paint(library, result, square, fields, there, SURELY_BEHIND)


def small_square(square: Picture) -> Tensor:
    """Return a square [S, S, 3] as the matte's network sees it, grey levels [3, s, s]."""
    library, (share, left) = compiled.library(), divmod(len(square), INPUT_SIZE)
    if library is not None and left == 0 and share <= compiled.MOST_SHRUNK:
        return compiled.shrunk(library, square, INPUT_SIZE)
    levels = levels_of(square, INPUT_SIZE)
    return F.interpolate(levels[None], (INPUT_SIZE, INPUT_SIZE), mode="area")[0]


def _in_torch(result: Picture, square: Sums, fields: Fields, there: There) -> None:
    """Do what `paint` does, in bands."""
    (coarse, both), (place, window, step) = fields, there
    levels = torch.from_numpy(square[0].transpose(2, 0, 1).astype(np.float32)).div_(square[1])
    rows = max(BAND_PIXELS // (window.right - window.left) // step, 1)
    for first in range(0, coarse.shape[1], rows):
        band = window.rows(first * step, (first + rows) * step)
        fine = _enlarged(coarse, first, rows, step)
        fine = fine[:, : band.bottom - band.top, : band.right - band.left]
        _paint_band(result, (levels, both), fine, (place, band))


def _enlarged(coarse: Tensor, first: int, count: int, step: int) -> Tensor:
    """Return `count` rows of fields [C, h, w], from row `first`, as fields of pixels.

    They are `step` times as large, [C, count * step, w * step], as if all were enlarged at once.
    """
    above = min(first, 1)
    part = coarse[None, :, first - above : first + count + 1]
    wide = F.interpolate(part, scale_factor=step, mode="bilinear")[0]
    return wide[:, above * step : (above + count) * step]


def _paint_band(
    result: Picture, shown: tuple[Tensor, Tensor], fine: Tensor, there: tuple[Alignment, Window]
) -> None:
    """Lay the person into the part of a frame [H, W, 3] that is a band of it.

    shown: the square [3, S, S], and its `front_and_back`. fine [6, h, w]: the fields at every pixel
    of the band. there: the place of the square, and the band.
    """
    (square, colours_of_both), (place, band) = shown, there
    points = unit_points(place, band)
    colours = sampled(square, points)
    cover = along_edges(fine[:2], colours)[0]
    mixed = ((cover > SURELY_BEHIND) & (cover < 1 - SURELY_BEHIND)).flatten().nonzero()[:, 0]
    both = sampled(colours_of_both, points.view(-1, 2)[mixed][None])[:, 0]
    flat = colours.view(3, -1)
    flat.index_copy_(1, mixed, unmixed(flat[:, mixed], cover.view(-1)[mixed], both))
    colours += fine[3:]
    inside = ((points - 0.5).abs_() <= 0.5).all(-1)
    lay_over(result, colours, cover.mul_(fine[2]).mul_(inside), band)


def lay_over(result: Picture, colours: Tensor, alpha: Tensor, window: Window) -> None:
    """Lay colours [3, h, w] over a part of a frame [H, W, 3], in place; alpha [h, w]."""
    part = np.s_[window.top : window.bottom, window.left : window.right]
    under = levels_of(result[part], np.inf)
    mixed = colours.sub_(under).mul_(alpha).add_(under)
    result[part] = mixed.round_().clamp_(0, 255).byte().permute(1, 2, 0).numpy()
