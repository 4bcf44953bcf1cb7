"""Pictures for the tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smooth_picture(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture [height, width, 3] of slow waves."""
    rows, columns = np.mgrid[:height, :width]
    red = 127 + 100 * np.sin(columns / 17)
    green = 127 + 100 * np.cos(rows / 23)
    blue = np.full(red.shape, 90)
    return np.stack([red, green, blue], -1).round().astype(np.uint8)
