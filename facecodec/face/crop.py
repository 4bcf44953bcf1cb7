"""Cut the aligned square out of a frame, and scale pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.alignment import Alignment, scaled
from facecodec.types import Picture

SMALLEST_HALVED = 4  # pixels: a picture with a shorter side is not halved
# Pixels around a square that are cut out with it, and of which the part's corner is a multiple, so
# that halving pairs the same pixels as in the whole frame.
PART_MARGIN, PART_STEP = 4, 64
MOST_SUMMED = 256  # bytes whose sum fits into 16 bits


def crop(frame: Picture, alignment: Alignment, size: int) -> Picture:
    """Return the aligned square of a frame [H, W, 3] as [size, size, 3].

    Shrinking averages (the frame is halved until less than two pixels fall on one); what lies
    outside the frame is mirrored.
    """
    frame, alignment = _around(frame, alignment)
    summed = 1  # pixels of the frame in each level
    while alignment.size / size >= 2 and min(frame.shape[:2]) >= SMALLEST_HALVED:
        summed *= 4
        frame = _halved(frame, np.uint16 if summed <= MOST_SUMMED else np.uint32)
        alignment = scaled(alignment, 0.5)
    picture = torch.from_numpy(frame.astype(np.float32)).div_(summed).permute(2, 0, 1)[None]
    height, width = picture.shape[-2:]
    matrix = torch.tensor(alignment.corner_matrix(), dtype=torch.float32)
    axis = (torch.arange(size) + 0.5) / size
    points = matrix[:, 0] * axis[None, :, None] + matrix[:, 1] * axis[:, None, None] + matrix[:, 2]
    grid = points / torch.tensor([width, height]) * 2 - 1
    sampled = F.grid_sample(picture, grid[None], padding_mode="reflection", align_corners=False)
    return _to_picture(sampled)


def _around(frame: Picture, alignment: Alignment) -> tuple[Picture, Alignment]:
    """Return the part of a frame [H, W, 3] that a square needs, and the square in it.

    The whole frame where the square reaches over its edge.
    """
    corners = alignment.from_unit(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    low = ((corners.min(0) - PART_MARGIN) // PART_STEP * PART_STEP).astype(int)
    high = np.ceil(corners.max(0)).astype(int) + PART_MARGIN
    high += (low - high) % 2  # an even number of pixels
    if low.min() < 0 or high[0] > frame.shape[1] or high[1] > frame.shape[0]:
        return frame, alignment
    part = frame[low[1] : high[1], low[0] : high[0]]
    return part, replace(alignment, x=alignment.x - low[0], y=alignment.y - low[1])


def _halved(levels: NDArray[Any], kind: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """Return the sums of each four neighbours of levels [H, W, 3], [H // 2, W // 2, 3].

    As integers of a kind that hold them: several times as fast as means of floats, and exact.
    """
    height, width = levels.shape[0] // 2, levels.shape[1] // 2
    even = levels[: 2 * height, : 2 * width]
    rows = even[0::2].astype(kind) + even[1::2]
    sums: NDArray[Any] = rows[:, 0::2] + rows[:, 1::2]
    return sums


def summed_levels(picture: Picture, least: float) -> tuple[NDArray[Any], int]:
    """Return a picture [H, W, 3] halved as sums of pixels, integers [h, w, 3], and how many each.

    As long as its height stays `least` pixels or more; the picture itself where it never does.
    """
    levels: NDArray[Any] = picture
    summed = 1  # pixels of the picture in each level
    while levels.shape[0] >= 2 * least and min(levels.shape[:2]) >= SMALLEST_HALVED:
        summed *= 4
        levels = _halved(levels, np.uint16 if summed <= MOST_SUMMED else np.uint32)
    return levels, summed


def levels_of(picture: Picture, least: float) -> Tensor:
    """Return a picture [H, W, 3] as grey levels, float32 [3, h, w] of 0 to 255.

    Halved, by means of four pixels, as long as its height stays `least` pixels or more.
    """
    levels, summed = summed_levels(picture, least)
    planes = np.ascontiguousarray(levels.transpose(2, 0, 1)).astype(np.float32)
    return torch.from_numpy(planes).div_(summed)


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture [H, W, 3] scaled to `size` (width, height), with antialiasing."""
    if picture.shape[1::-1] == size:
        return picture
    return _to_picture(
        F.interpolate(
            _to_tensor(picture), size[::-1], mode="bilinear", antialias=True, align_corners=False
        )
    )


def _to_tensor(picture: Picture) -> Tensor:
    """Return a picture [H, W, 3] as float32 grey levels [1, 3, H, W], 0 to 255."""
    levels = np.require(
        picture, requirements=("C", "W")
    )  # torch shares no memory that is read-only
    return torch.from_numpy(levels).permute(2, 0, 1)[None].float()


def _to_picture(tensor: Tensor) -> Picture:
    """Return grey levels [1, 3, H, W], 0 to 255, as a picture [H, W, 3], rounded and clamped."""
    levels: Picture = tensor[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
    return levels
