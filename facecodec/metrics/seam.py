"""The seam of a composite: what shows of the edge along which a head is laid over a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facecodec.types import Floats, Picture

LUMA = np.array([0.2126, 0.7152, 0.0722])  # of ITU-R BT.709
SMALLEST_GRADIENT = 1e-3  # of coverage, a pixel; below it a pixel is not at the edge


def rim_gradient(frame: Picture, covered: NDArray[np.float32]) -> float:
    """Return the gradient of a frame [H, W, 3] across an edge, in grey levels a pixel.

    covered [H, W]: how much of each pixel is covered, 0 to 1. The component of the luma's gradient
    along that of `covered`, its size averaged with the latter's size as weight; 0 without an edge.
    """
    down, across = np.gradient(covered.astype(np.float64))
    steep = np.hypot(down, across)
    steep[steep < SMALLEST_GRADIENT] = 0
    if not steep.any():
        return 0.0
    light_down, light_across = np.gradient(frame @ LUMA)
    along = (light_down * down + light_across * across) / np.maximum(steep, SMALLEST_GRADIENT)
    return float((np.abs(along) * steep).sum() / steep.sum())


def rim_flicker(frames: Sequence[Picture], covered: NDArray[np.float32]) -> float:
    """Return how the rim changes over three frames [H, W, 3] beyond a steady change.

    The size of the luma's second difference, |a - 2 b + c|, in grey levels, averaged over the edge
    of `covered` [H, W], of the middle frame, with the size of its gradient as weight.
    """
    before, now, after = (frame @ LUMA for frame in frames)
    steep: Floats = np.hypot(*np.gradient(covered.astype(np.float64)))
    steep[steep < SMALLEST_GRADIENT] = 0
    if not steep.any():
        return 0.0
    return float((np.abs(before - 2 * now + after) * steep).sum() / steep.sum())
