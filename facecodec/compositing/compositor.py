"""Lays decoded squares into frames, one after another."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.compositing.alpha import HEAD_EDGE, Alpha, feathered, open_sides
from facecodec.compositing.foreground import front_and_back
from facecodec.compositing.light import Light
from facecodec.compositing.painting import SURELY_BEHIND, Sums, lay_over, paint, small_square
from facecodec.compositing.placing import Window, placed, sampled, shrunk, unit_points
from facecodec.face.alignment import Alignment
from facecodec.face.crop import levels_of, summed_levels
from facecodec.face.matte import INPUT_SIZE, edge_lines, small_matte
from facecodec.types import Picture

SMALLEST_SQUARE_PIXELS = 2  # pixels of a side of a square that is laid into a frame
LEAST_MATTED_PIXELS = 16  # pixels of a side of a square below which no head is looked for in it
# The middle of a face in the network's square. Where it shows nobody, all of the square is laid.
FACE = np.s_[INPUT_SIZE * 2 // 5 : INPUT_SIZE * 3 // 4, INPUT_SIZE * 3 // 8 : INPUT_SIZE * 5 // 8]
LEAST_PERSON = 0.5  # mean of the matte there
SHARE_RADIUS, SMALLEST_SHARE = 3, 1e-2  # pixels of the network's square; of the person


class Compositor:
    """Lays the squares of one video into its frames, in order.

        compositor = Compositor()
        picture = compositor.lay(frame, square, place)

    What it does in one frame follows from those before it too; after a jump, begin another one.
    """

    def __init__(self, same_scene: bool = True) -> None:
        """`same_scene`: the frames show the person's own shoulders and room.

        Then the head alone is laid over them, and lit as they are; else all of the person is.
        """
        self._same_scene = same_scene
        self._light = Light()

    def lay(
        self,
        frame: Picture,
        square: Picture,
        place: Alignment,
        alpha: Alpha | None = None,
        light: Tensor | None = None,
        trust: Tensor | None = None,
    ) -> Picture:
        """Return a frame [H, W, 3] with a decoded square [S, S, 3] laid over it at `place`.

        alpha: how much each pixel of the square covers, float32 [S, S] of 0 to 1; what the square
        shows of the person when None. light: what is added to the person [3, s, s], in grey levels;
        what the frame's light says when None. trust [s, s]: how much of the person is laid, 0 to 1;
        all when None. A square outside the frame, or smaller than two
        pixels, leaves the frame as it is.
        """
        window = Window.of(place, (frame.shape[1], frame.shape[0]))
        if window.empty or place.size < SMALLEST_SQUARE_PIXELS:
            return frame
        sums = summed_levels(square, place.size)
        if alpha is None and len(sums[0]) >= LEAST_MATTED_PIXELS:
            small, maps = small_matte(small_square(square))
            if float(maps[0][FACE].mean()) > LEAST_PERSON:
                return self._lay_matted(frame, (sums, small, maps), (place, window), light, trust)
        if alpha is None:
            alpha = feathered(square.shape[0])
        levels = levels_of(square, place.size)
        covers = shrunk(torch.from_numpy(np.require(alpha, requirements="W"))[None], place.size)
        laid, inside = placed(torch.cat([levels, covers]), place, window)
        return _over(frame, laid[:3], laid[3] * inside, window)

    def _lay_matted(
        self,
        frame: Picture,
        shown: tuple[Sums, Tensor, Tensor],
        there: tuple[Alignment, Window],
        light: Tensor | None,
        trust: Tensor | None,
    ) -> Picture:
        """Return a frame with what a square shows of the person laid over it.

        shown: the square as `summed_levels` gives it, and what `small_matte` says of it. there: its
        place, and the window of that. light, trust: as in `lay`. Whatever is smooth is computed
        small, and enlarged where it is needed.
        """
        (square, small, (person, head)), (place, window) = shown, there
        sides = open_sides(place, (frame.shape[1], frame.shape[0]))
        ends = torch.from_numpy(feathered(small.shape[-1], sides, HEAD_EDGE))
        if self._same_scene:
            ends = ends * _share(head, person)
            if light is None:
                rim = 4 * person * ends * (1 - ends)
                light = self._light.difference(frame, place, small, rim)
        if trust is not None:
            ends = ends * trust
        light = torch.zeros(3, *small.shape[1:]) if light is None else light
        if light.shape != small.shape:
            light = F.interpolate(light[None], small.shape[-2:], mode="bilinear")[0]
        step = max(int(place.size / small.shape[-1]), 1)
        fields = torch.cat([edge_lines(person[None], small), ends[None], light, person[None]])
        coarse = sampled(fields, unit_points(place, window, step))
        window, coarse = _trimmed(window, coarse, step)
        if window.empty:
            return frame
        result = frame.copy()
        shades = front_and_back(small, person)
        paint(result, square, (coarse[:-1], shades), (place, window, step))
        return result


def _share(head: Tensor, person: Tensor) -> Tensor:
    """Return how much of the person [s, s] the head [s, s] is, smooth, [s, s] of 0 to 1."""
    side = 2 * SHARE_RADIUS + 1
    both = torch.stack([head, person])[None] + SMALLEST_SHARE
    means = F.avg_pool2d(both, side, 1, SHARE_RADIUS, count_include_pad=False)[0]
    return (means[0] / means[1]).clamp_(0, 1)


def _trimmed(window: Window, coarse: Tensor, step: int) -> tuple[Window, Tensor]:
    """Return the part of a window in which a person is, and its fields [C, h, w]."""
    there = coarse[-1] * coarse[2] > SURELY_BEHIND
    rows, columns = torch.nonzero(there.any(1)), torch.nonzero(there.any(0))
    if not len(rows):
        return Window(0, 0, 0, 0), coarse
    top, left = (max(int(at.min()) - 1, 0) for at in (rows, columns))
    bottom, right = int(rows.max()) + 2, int(columns.max()) + 2
    part = Window(
        window.left + step * left,
        window.top + step * top,
        min(window.left + step * right, window.right),
        min(window.top + step * bottom, window.bottom),
    )
    return part, coarse[:, top:bottom, left:right]


def _over(frame: Picture, colours: Tensor, alpha: Tensor, window: Window) -> Picture:
    """Return a frame [H, W, 3] with colours [3, h, w] laid over a part, alpha [h, w]."""
    result = frame.copy()
    lay_over(result, colours, alpha, window)
    return result


def coverage(alpha: Alpha, place: Alignment, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how much of each pixel of a frame a square covers, float32 [H, W] of 0 to 1.

    alpha [S, S]: of the square at `place`. size: the frame's width and height.
    """
    covered = np.zeros((size[1], size[0]), np.float32)
    window = Window.of(place, size)
    if not window.empty and place.size >= SMALLEST_SQUARE_PIXELS:
        own = torch.from_numpy(np.require(alpha, requirements="W"))
        laid, inside = placed(own[None], place, window)
        part = np.s_[window.top : window.bottom, window.left : window.right]
        covered[part] = (laid[0] * inside).numpy()
    return covered
