"""A square in a frame: the part of the frame that it touches, and what it brings there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.face.alignment import Alignment
from facecodec.types import Floats

SHRINK_FROM = 2  # pixels of a square to one of the frame, from which on it is halved first


@dataclass(frozen=True)
class Window:
    """The part of a frame that a square touches: frame[top:bottom, left:right]."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, place: Alignment, size: tuple[int, int]) -> Window:
        """Return the window of the square at `place` in a frame of `size` (width, height)."""
        corners = place.from_unit(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        low = np.floor(np.clip(corners.min(0), 0, size)).astype(int)
        high = np.ceil(np.clip(corners.max(0), 0, size)).astype(int)
        return cls(int(low[0]), int(low[1]), int(high[0]), int(high[1]))

    @property
    def empty(self) -> bool:
        """Return whether the square lies outside the frame."""
        return self.right <= self.left or self.bottom <= self.top

    def rows(self, first: int, end: int) -> Window:
        """Return the rows of this window from `first` to before `end`, as far as there are any."""
        return replace(self, top=self.top + first, bottom=min(self.top + end, self.bottom))

    def strided(self, step: int) -> Window:
        """Return this window in blocks of `step` pixels; the last ones may be over its edge."""
        width, height = self.right - self.left, self.bottom - self.top
        return Window(0, 0, -(-width // step), -(-height // step))


def unit_points(place: Alignment, window: Window, step: int = 1) -> Tensor:
    """Return where the pixels of a window lie in the square at `place`, 0 to 1, [h, w, 2].

    step: pixels of a block, whose centres are meant, [h / step, w / step, 2].
    """
    blocks = window.strided(step)
    inverse, origin = _inverse(place)
    columns = window.left + step * (np.arange(blocks.right) + 0.5) - origin[0]
    rows = window.top + step * (np.arange(blocks.bottom) + 0.5) - origin[1]
    across = torch.tensor(inverse[:, 0] * columns[:, None], dtype=torch.float32)
    down = torch.tensor(inverse[:, 1] * rows[:, None], dtype=torch.float32)
    return across[None] + down[:, None]


def unit_steps(place: Alignment, window: Window) -> tuple[Floats, Floats, Floats]:
    """Return where the first pixel of a window lies in the square at `place`, [2] of 0 to 1.

    And what a pixel to the right, and one below, adds to that, [2] each.
    """
    inverse, origin = _inverse(place)
    first = inverse @ (np.array([window.left + 0.5, window.top + 0.5]) - origin)
    return first, inverse[:, 0], inverse[:, 1]


@lru_cache(maxsize=4)  # a frame is worked on in bands
def _inverse(place: Alignment) -> tuple[Floats, Floats]:
    """Return what turns ways in a frame into ways in the square [2, 2], and its origin [2]."""
    matrix = place.corner_matrix()
    return np.linalg.inv(matrix[:, :2]).astype(np.float64), matrix[:, 2]


def sampled(maps: Tensor, points: Tensor) -> Tensor:
    """Return a square's maps [C, S, S] at points [h, w, 2] of it, 0 to 1: [C, h, w]."""
    return F.grid_sample(maps[None], (points * 2 - 1)[None], "bilinear", "border", False)[0]


def placed(maps: Tensor, place: Alignment, window: Window) -> tuple[Tensor, Tensor]:
    """Return a square's maps [C, S, S] as they lie in a window, [C, h, w], and where they lie.

    The latter is [h, w]: 1 inside the square, 0 outside. Shrinking averages.
    """
    points = unit_points(place, window)
    inside = ((points >= 0) & (points <= 1)).all(-1).float()
    return sampled(shrunk(maps, place.size), points), inside


def frame_in_square(place: Alignment, size: tuple[int, int], points: int) -> Tensor:
    """Return which points of the square at `place` lie in a frame, [points, points] of 0 or 1.

    size: the frame's width and height. points: to a side of the square.
    """
    axis = (np.arange(points) + 0.5) / points
    there = place.from_unit(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2))
    inside = ((there >= 0) & (there <= size)).all(1)
    return torch.from_numpy(inside.reshape(points, points)).float()


def shrunk(maps: Tensor, side: float) -> Tensor:
    """Return maps [C, S, S] halved until they have less than twice `side` pixels."""
    while maps.shape[-1] >= SHRINK_FROM * max(side, 1.0):
        maps = F.avg_pool2d(maps[None], 2)[0]
    return maps
