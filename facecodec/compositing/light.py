"""Light and colour of a square matched to its frame's, where both show the same neck."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.compositing.placing import frame_in_square
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.types import Picture

GRID = 64  # side in pixels at which light is compared
SPREAD = 0.12  # sides of the square over which a difference in light spreads
SPREAD_REACH = 2.5  # spreads up to which it does
FRAMES = 8.0  # over which a difference is averaged: light that flickered would be seen
LARGEST_DIFFERENCE = 28.0  # grey levels that a square is changed by
OTHER_THING = 30.0  # grey levels: a larger difference is rather another thing than other light
LEAST_WEIGHT = 0.04  # of the rim in a window of the spread, below which a difference dies away


class Light:
    """How the light of a video's frames differs from its squares', frame by frame."""

    def __init__(self) -> None:
        self._seen: Tensor | None = None  # difference times weight, and weight: [4, GRID, GRID]
        reach = round(SPREAD_REACH * SPREAD * GRID)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (SPREAD * GRID)) ** 2)
        self._taps = torch.tensor(taps / taps.sum(), dtype=torch.float32)

    def difference(self, frame: Picture, place: Alignment, square: Tensor, rim: Tensor) -> Tensor:
        """Return what to add to a square [3, S, S] so that it is lit as its frame, [3, s, s].

        frame [H, W, 3]; rim [S, S]: where both show the same, 0 to 1. In grey levels, for `GRID`
        points to a side. It follows from this frame and those before.
        """
        under = torch.from_numpy(crop(frame, place, GRID).astype(np.float32)).permute(2, 0, 1)
        layers = torch.cat([square, rim[None]])[None]
        small = F.interpolate(layers, (GRID, GRID), mode="bilinear", antialias=True)[0]
        off = under - small[:3]
        weight = (
            small[3:]
            * frame_in_square(place, (frame.shape[1], frame.shape[0]), GRID)
            / (1 + (off.norm(dim=0, keepdim=True) / OTHER_THING) ** 2)
        )
        seen = torch.cat([off * weight, weight])
        share = 1.0 if self._seen is None else 1 / FRAMES
        self._seen = seen if self._seen is None else self._seen + share * (seen - self._seen)
        spread = self._spread(self._seen)
        off = spread[:3] / (spread[3:] + LEAST_WEIGHT)
        return off.clamp_(-LARGEST_DIFFERENCE, LARGEST_DIFFERENCE)

    def _spread(self, maps: Tensor) -> Tensor:
        """Return maps [C, s, s] blurred by a Gaussian."""
        pad = len(self._taps) // 2
        count = len(maps)
        rows = self._taps.view(1, 1, 1, -1).expand(count, 1, 1, -1)
        across = F.conv2d(F.pad(maps[None], (pad, pad, 0, 0)), rows, groups=count)
        columns = self._taps.view(1, 1, -1, 1).expand(count, 1, -1, 1)
        return F.conv2d(F.pad(across, (0, 0, pad, pad)), columns, groups=count)[0]
