"""Which way is up: the display matrix that a camera records beside its pictures."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type

from facecodec.types import Picture

Matrix = tuple[float, float, float, float]


def display_matrix(frame: av.VideoFrame) -> Matrix | None:
    """Return a, b, c, d of a frame's display matrix, None where it has none.

    A pixel at x, y (right and down) is shown at a x + c y, b x + d y (ISO/IEC 14496-12, 8.3.2).
    """
    try:
        data = cast(SideDataContainer, frame.side_data)[Type.DISPLAYMATRIX]
    except KeyError:
        return None
    numbers = np.frombuffer(bytes(data), "=i4")
    if len(numbers) != 9:
        return None
    a, b, c, d = (float(numbers[i]) for i in (0, 1, 3, 4))
    return a, b, c, d


def upright(picture: Picture, matrix: Matrix | None) -> Picture:
    """Return a picture [H, W, 3] turned and mirrored as its matrix says, to the nearest quarter."""
    if matrix is None:
        return picture
    a, b, c, d = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):
        right, down = a, d
    else:
        picture = picture.swapaxes(0, 1)
        right, down = c, b
    if right < 0:
        picture = picture[:, ::-1]
    if down < 0:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
