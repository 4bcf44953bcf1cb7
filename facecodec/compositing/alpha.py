"""Alpha: how much of a frame each pixel of a square covers, float32 [S, S], 0 to 1."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facecodec.types import Picture

Alpha: TypeAlias = NDArray[np.float32]  # [S, S], 0 to 1

FADED_EDGE = 0.08  # share of the square over which it fades at its edge


def feathered(size: int) -> Alpha:
    """Return the alpha of a whole square of `size` pixels that fades at its edge."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    near = np.clip(np.minimum(axis, 1 - axis) / FADED_EDGE, 0, 1)
    inside = np.minimum(near[:, None], near[None, :])
    # smoothstep: no visible line where the fade begins
    alpha: Alpha = inside * inside * (3 - 2 * inside)
    return alpha


def head_alpha(square: Picture) -> Alpha:
    """Return the alpha [S, S] with which a decoded square [S, S, 3] is laid over a frame."""
    return feathered(square.shape[0])
