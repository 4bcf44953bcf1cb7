"""The inner face: the part of an aligned square that its landmarks enclose."""

from __future__ import annotations

import numpy as np

from facecodec.types import Flags, Floats, Landmarks


def face_mask(points: Landmarks, size: int) -> Flags:
    """Return the inner face, bool [size, size]: the convex hull of landmarks [68, 2] in pixels.

    From the jaw line to the brows, without forehead, hair and background.
    """
    hull = _hull(points)
    axis = np.arange(size) + 0.5
    x, y = axis[None, :], axis[:, None]
    inside = np.ones((size, size), bool)
    for start, end in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        edge = end - start
        inside &= edge[0] * (y - start[1]) >= edge[1] * (x - start[0])
    return inside


def _hull(points: Landmarks) -> Floats:
    """Return the corners [N, 2] of the convex hull of points [P, 2], in order.

    Andrew's monotone chain (Andrew 1979).
    """

    def half(ordered: Floats) -> list[Floats]:
        chain: list[Floats] = []
        for point in ordered:
            while len(chain) > 1:
                a, b = chain[-1] - chain[-2], point - chain[-2]
                if a[0] * b[1] - a[1] * b[0] > 0:
                    break
                chain.pop()
            chain.append(point)
        return chain[:-1]

    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    return np.array(half(ordered) + half(ordered[::-1]))
