"""Retouching: what a context shows of the head, given to the head that is drawn.

A context's pictures are small, coarse and a few a second, but they are of the source. A drawn head
is sharp and moves with every frame, but its colours and proportions are the generator's. Where the
two are of one time, their difference says what the drawing lacks at the scales that the context
has. It lies in the face's own square, where it changes slowly, and is added to all frames around.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BANDS = 2  # the finest octaves of the network's square, of which a context may know nothing
NEARBY = 4  # pixels of an octave to either side, over which its detail is averaged
SMALLEST_DETAIL = 0.3  # grey levels, taken for none
PATIENCE = 60  # frames without a new picture, after which the last one counts less and less
FADING = 0.9  # of it, from each frame to the next
LIGHT_PIXELS = 8  # of the network's square: what is as coarse is light and colour
AROUND = 6  # pixels to either side, over which shapes are compared
NO_SHAPE = 4.0  # grey levels, taken for none
FOREIGN, SAME = 0.5, 0.9  # correlations at which a drawing is not shown at all, and is shown whole
# Of a drawing, that is not shown where a context has all of the finest detail; and the power of the
# share it has, by which a context that has some of it leaves the drawing as it is.
NEEDLESS, DECIDED = 0.9, 4
BELIEVED = 3.0  # grey levels of a difference, below which it is rather an error of the coding


def difference(shown: Tensor, drawn: Tensor, inside: Tensor) -> Tensor:
    """Return what to add to a drawn square [3, s, s] to have it as its context shows it.

    shown [3, s, s]: the same square, cut out of the context. inside [s, s]: 1 where that has it.
    All in grey levels. Octave by octave, from the finest: what the context has not coded is left to
    the drawing, and so are differences as small as errors of coding are.
    """
    off = (shown - drawn) * inside
    total = torch.zeros_like(off)
    size = off.shape[-1]
    for _ in range(BANDS):
        bands, smaller = zip(*(_split(maps) for maps in (off, drawn, shown)), strict=True)
        of_off, of_drawn, of_shown = (_detail(band) for band in bands)
        known = (of_shown / of_drawn.clamp_min(SMALLEST_DETAIL)).clamp(max=1)
        believed = of_off**2 / (of_off**2 + BELIEVED**2)
        total = total + _enlarged(known * believed * bands[0], size)
        off, drawn, shown = smaller
    return total + _enlarged(off, size)


def trusted(shown: Tensor, drawn: Tensor) -> Tensor:
    """Return how much a drawn square [3, s, s] is shown where its context shows the same, [s, s].

    shown [3, s, s]: the square, cut out of the context. 1 where the shapes of both go together, or
    neither has any; 0 where they do not: hair that lies otherwise, or a hand before the face. It is
    their correlation around every pixel, of all that is finer than light. Less, too, where the
    context has as much of the finest detail as the drawing: then it shows the face itself.
    """
    bands = []
    for maps in (shown, drawn):
        grey = maps.mean(0, keepdim=True)
        coarse = F.avg_pool2d(grey[None], LIGHT_PIXELS)[0]
        bands.append(grey - _enlarged(coarse, grey.shape[-1]))
    one, other = bands
    products = torch.stack([one * other, one * one, other * other])
    side = 2 * AROUND + 1
    both, of_one, of_other = F.avg_pool2d(
        products.transpose(0, 1), side, 1, AROUND, count_include_pad=False
    )[0]
    agreement = (both + NO_SHAPE**2) / ((of_one * of_other).sqrt() + NO_SHAPE**2)
    shares: Tensor = (agreement - FOREIGN) / (SAME - FOREIGN)
    fine_shown, fine_drawn = (_detail(_split(maps)[0]) for maps in (shown, drawn))
    has = (fine_shown / fine_drawn.clamp_min(SMALLEST_DETAIL)).clamp(max=1)
    return shares.clamp(0, 1) * (1 - NEEDLESS * has**DECIDED)


class Retouching:
    """Differences over time: each frame's lies between those of two pictures of the context."""

    def __init__(self) -> None:
        self._now: Tensor | None = None  # of the last frame
        self._pts = 0  # the last frame's
        self._alone = 0  # frames since the last picture

    def towards(self, pts: int, coming: tuple[int, Tensor] | None) -> Tensor | None:
        """Return the difference at a time, no earlier than the last; None before the first.

        coming: the time and difference of the next picture, not before `pts`, where it is known.
        It changes evenly up to there. Where nothing is known it stays, and fades after a while.
        """
        self._alone += 1
        if coming is None and self._now is not None and self._alone > PATIENCE:
            self._now = FADING * self._now
        if coming is not None:
            self._alone = 0
            at, wanted = coming
            if self._now is None or at <= pts:
                self._now = wanted
            else:
                share = (pts - self._pts) / (at - self._pts)
                self._now = torch.lerp(self._now, wanted, share)
        self._pts = pts
        return self._now


def _split(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the finest octave of maps [C, s, s], and the rest of them [C, s / 2, s / 2]."""
    rest = F.avg_pool2d(maps[None], 2)[0]
    return maps - _enlarged(rest, maps.shape[-1]), rest


def _detail(band: Tensor) -> Tensor:
    """Return the root mean square of an octave [C, s, s] around every pixel, [s, s]."""
    side = 2 * NEARBY + 1
    mean = (band * band).mean(0, keepdim=True)[None]
    return F.avg_pool2d(mean, side, 1, NEARBY, count_include_pad=False)[0, 0].sqrt()


def _enlarged(maps: Tensor, size: int) -> Tensor:
    """Return maps [C, s, s] enlarged to `size` pixels to a side."""
    if maps.shape[-1] == size:
        return maps
    return F.interpolate(maps[None], (size, size), mode="bilinear", align_corners=False)[0]
