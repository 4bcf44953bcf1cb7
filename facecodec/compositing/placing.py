"""A square in a frame: the part of the frame that it touches, and what it brings there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.face.alignment import Alignment

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


def placed(maps: Tensor, place: Alignment, window: Window) -> tuple[Tensor, Tensor]:
    """Return a square's maps [C, S, S] as they lie in a window, [C, h, w], and where they lie.

    The latter is [h, w]: 1 inside the square, 0 outside. Shrinking averages.
    """
    maps = maps[None]
    while maps.shape[-1] >= SHRINK_FROM * max(place.size, 1.0):
        maps = F.avg_pool2d(maps, 2)
    matrix = place.corner_matrix()
    inverse = torch.tensor(np.linalg.inv(matrix[:, :2]), dtype=torch.float32)
    origin = torch.tensor(matrix[:, 2], dtype=torch.float32)
    columns = torch.arange(window.left, window.right) + 0.5
    rows = torch.arange(window.top, window.bottom) + 0.5
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) - origin
    unit = points @ inverse.T
    inside = ((unit >= 0) & (unit <= 1)).all(-1).float()
    laid = F.grid_sample(maps, (unit * 2 - 1)[None], padding_mode="border", align_corners=False)
    return laid[0], inside
