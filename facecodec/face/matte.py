"""The matte: which pixels of an aligned square show the person, and which the head.

A small U-Net, trained on generated faces before other backgrounds (`training/train_matte.py`). It
reads the square small; `edge_lines` give its answer the edges of the square itself.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facecodec.face.networks import UNet, block, load_network
from facecodec.pixels import GREY_LEVELS, HALF_RANGE

INPUT_SIZE = 128  # side in pixels of the squares that the network reads
WIDTHS = (16, 24, 40, 64, 96)  # channels of the feature maps, from half of that side down
FINE_WIDTH = 12  # channels at the whole of that side
WEIGHTS = "matte.safetensors"  # the file, in this package

CONTRAST = 1.6  # by which the network's doubt at an edge, from 0.5, is made less
# Where a head is and its shoulders are not, in sides of the square: half of its width by the
# height, the rows by which its middle is told, and the width over which it fades.
HEAD_HALF_WIDTHS = ((0.6, 0.72, 0.85, 1.0), (0.6, 0.42, 0.33, 0.24))
FACE_ROWS = (0.35, 0.6)
SIDE_FADE = 0.08
SMALLEST_SUM = 1e-6
# The guided filter that gives a small matte the edges of its square:
GUIDE_RADIUS = 3  # pixels of the small square to either side of one, in its window
HAZE = 0.04  # of a map, that is taken for none of it, and what lacks as much of all for all
GUIDE_NOISE = 3e-4  # variance of grey levels, 0 to 1, below which an edge of the square is noise


class Matte(NamedTuple):
    """How much of each pixel of a square shows the person, and the head: float32 [S, S], 0 to 1.

    The head is face, hair and neck, and fades out on the neck; the person has shoulders too.
    """

    person: Tensor
    head: Tensor


class MatteNetwork(UNet):
    """Squares [N, 3, 128, 128] in [-1, 1] to logits of person and head, [N, 2, 128, 128]."""

    def __init__(self) -> None:
        super().__init__(WIDTHS)
        self.fine = block(WIDTHS[0] + 3, FINE_WIDTH)
        self.out = nn.Conv2d(FINE_WIDTH, 2, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logits [N, 2, 128, 128] of pictures [N, 3, 128, 128] in [-1, 1]."""
        small = F.interpolate(self.features(pictures), scale_factor=2, mode="bilinear")
        logits: Tensor = self.out(self.fine(torch.cat([small, pictures], 1)))
        return logits


@cache
def network() -> MatteNetwork:
    """Return the network with the weights that ship with this package."""
    return load_network(MatteNetwork(), "facecodec.face", WEIGHTS)


def matte(square: Tensor) -> Matte:
    """Return the matte of a square [3, S, S] of grey levels, 0 to 255; S is 16 or more.

    Averages where the square is larger than the network's, and finds its edges again.
    """
    with torch.inference_mode():
        small, maps = small_matte(square)
        lines = F.interpolate(edge_lines(maps, small)[None], square.shape[-2:], mode="bilinear")[0]
        fine = along_edges(lines, square)
    return Matte(fine[0], fine[1])


def small_matte(square: Tensor) -> tuple[Tensor, Tensor]:
    """Return a square [3, S, S] as the network sees it, [3, 128, 128], and its person and head.

    The latter are [2, 128, 128], 0 to 1.
    """
    small = F.interpolate(square[None], (INPUT_SIZE, INPUT_SIZE), mode="area")
    with torch.inference_mode():
        maps = network()(small / HALF_RANGE - 1).sigmoid()[0]
        person, head = ((maps - 0.5) * CONTRAST + 0.5).clamp_(0, 1)
        return small[0], torch.stack([person, head * _narrowing(head)])


def _narrowing(head: Tensor) -> Tensor:
    """Return what of a square belongs to a head [s, s] and not to shoulders, [s, s] of 0 to 1.

    Below the nose a head grows narrower, down to the neck; what lies beside it there, shoulders and
    the hair upon them, does not move with the head.
    """
    axis = (torch.arange(len(head)) + 0.5) / len(head)
    rows = (axis > FACE_ROWS[0]) & (axis < FACE_ROWS[1])
    columns = head[rows].sum(0) + SMALLEST_SUM
    middle = (columns * axis).sum() / columns.sum()
    half = np.interp(axis.numpy(), *HEAD_HALF_WIDTHS).astype(np.float32)
    inside = torch.from_numpy(half)[:, None] - (axis - middle).abs()
    t = (inside / SIDE_FADE + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def edge_lines(maps: Tensor, small: Tensor) -> Tensor:
    """Return how maps [C, s, s] follow from the brightness of their square, [2 C, s, s].

    small [3, s, s]: the square in grey levels, 0 to 255. In every window a map is a line a I + b
    of its brightness I, 0 to 1; first come all a, then all b. Enlarged, they give the maps the
    edges of the square itself: `along_edges` (the fast guided filter: He and Sun 2015, arXiv
    1505.00996).
    """
    guide, count = brightness(small)[None], len(maps)
    mean = _window_means(torch.cat([guide, maps, guide * guide, guide * maps]))
    i, p, ii, ip = mean.split([1, count, 1, count])
    a = (ip - i * p) / (ii - i * i + GUIDE_NOISE)
    return _window_means(torch.cat([a, p - a * i]))


def along_edges(lines: Tensor, square: Tensor) -> Tensor:
    """Return maps [C, h, w], 0 to 1, of lines [2 C, h, w] and their picture [3, h, w]."""
    count = len(lines) // 2
    maps = (lines[:count] * brightness(square)).add_(lines[count:])
    return maps.sub_(HAZE).div_(1 - 2 * HAZE).clamp_(0, 1)


def brightness(picture: Tensor) -> Tensor:
    """Return the mean of the colours of a picture [3, h, w] of 0 to 255: [h, w] of 0 to 1."""
    return (picture[0] + picture[1]).add_(picture[2]).div_(3 * GREY_LEVELS)


def _window_means(maps: Tensor) -> Tensor:
    """Return the means of maps [C, s, s] over windows of `GUIDE_RADIUS`, [C, s, s]."""
    windows = _windows(maps.shape[-1])
    return windows @ maps @ windows.T


@cache
def _windows(size: int) -> Tensor:
    """Return the matrix [s, s] that averages over windows; outside, the outermost pixel goes on.

    As a product it takes half as long as pooling.
    """
    columns = torch.arange(-GUIDE_RADIUS, size + GUIDE_RADIUS).clamp(0, size - 1)
    side = 2 * GUIDE_RADIUS + 1
    windows = torch.zeros(size, size)
    for row in range(size):
        windows[row].index_add_(0, columns[row : row + side], torch.full((side,), 1 / side))
    return windows
