"""Colour as people see it: CIELAB, and the difference of two pictures in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
Values = NDArray[np.float64]

# IEC 61966-2-1 (sRGB, white D65): linear RGB to CIE XYZ.
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = TO_XYZ.sum(1)
# CIE 15:2004: below this share of white, L*a*b* goes on as a straight line of this slope.
LINEAR_BELOW = (6 / 29) ** 3
SLOPE = (29 / 6) ** 2 / 3


def lab(levels: Picture) -> Values:
    """Return L* (0 to 100), a* and b* of sRGB levels [..., 3] in 0 to 255."""
    encoded = np.asarray(levels, np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    share = np.maximum(linear, 0) @ TO_XYZ.T / WHITE
    root = np.where(share > LINEAR_BELOW, np.cbrt(share), SLOPE * share + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    converted: Values = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return converted


def colour_difference(a: Picture, b: Picture) -> Values:
    """Return the CIE 1976 difference of two pictures [H, W, 3] in 0 to 255, pixel by pixel.

    [H, W]; 2.3 is just noticeable (Mahy et al. 1994).
    """
    apart: Values = np.linalg.norm(lab(a) - lab(b), axis=-1)
    return apart
