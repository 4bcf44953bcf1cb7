"""Alpha: how much of a frame each pixel of a square covers, float32 [S, S], 0 to 1."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.face.alignment import Alignment
from facecodec.face.matte import matte
from facecodec.types import Picture

Alpha: TypeAlias = NDArray[np.float32]  # [S, S], 0 to 1

FADED_EDGE = 0.08  # share of the square over which it fades at its edge
HEAD_EDGE = 0.04  # the same where it shows a head alone: hair often reaches up to there
# The corners of a square's sides, 0 to 1: left, top, right, bottom.
SIDES = (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((1, 0), (1, 1)), ((0, 1), (1, 1)))


def feathered(size: int, sides: tuple[bool, ...] = (True,) * 4, width: float = FADED_EDGE) -> Alpha:
    """Return the alpha of a whole square of `size` pixels that fades at its edge.

    sides: whether it fades on the left, at the top, on the right and at the bottom. width: of the
    edge, as a share of the square.
    """
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size / width
    left, top, right, bottom = (
        np.clip(near, 0, 1) if fades else np.ones(size, np.float32)
        for near, fades in zip((axis, axis, axis[::-1], axis[::-1]), sides, strict=True)
    )
    inside = np.minimum(np.minimum(top, bottom)[:, None], np.minimum(left, right)[None, :])
    # smoothstep: no visible line where the fade begins
    alpha: Alpha = inside * inside * (3 - 2 * inside)
    return alpha


def open_sides(place: Alignment, size: tuple[int, int]) -> tuple[bool, ...]:
    """Return which sides of the square at `place` lie in a frame, so that they would show.

    size: the frame's width and height. Left, top, right, bottom of the square.
    """
    margin = FADED_EDGE * place.size / 4
    ends = place.from_unit(np.array(SIDES, float).reshape(-1, 2)).reshape(4, 2, 2)
    points = np.concatenate([ends, ends.mean(1, keepdims=True)], axis=1)
    within = np.all((points > margin) & (points < np.array(size) - margin), axis=2)
    return tuple(bool(side.any()) for side in within)


def head_alpha(square: Picture) -> Alpha:
    """Return what of a square [S, S, 3] shows the head: face, hair and neck, [S, S] of 0 to 1.

    It fades out on the neck, and at the edge of the square.
    """
    levels = np.require(square, requirements=("C", "W"))
    head = matte(torch.from_numpy(levels).permute(2, 0, 1).float()).head.numpy()
    alpha: Alpha = head * feathered(square.shape[0], width=HEAD_EDGE)
    return alpha
