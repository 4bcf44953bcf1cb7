"""Colour as people see it: CIELAB, and the difference of two pictures in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.pixels import GREY_LEVELS

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


# IEC 61966-2-1: encoded values below the first are linear, with this slope; above it a power.
LINEAR_UP_TO, ENCODED_SLOPE, OFFSET, POWER = 0.04045, 12.92, 0.055, 2.4


def to_lab(encoded: Tensor) -> Tensor:
    """Return L* (0 to 100), a* and b* [N, 3, H, W] of sRGB pictures [N, 3, H, W] in 0 to 1.

    Differentiable; values beyond 0 to 1 count as those.
    """
    encoded = encoded.clamp(0, 1)
    curve = ((encoded.clamp_min(LINEAR_UP_TO) + OFFSET) / (1 + OFFSET)) ** POWER
    linear = torch.where(encoded <= LINEAR_UP_TO, encoded / ENCODED_SLOPE, curve)
    matrix = torch.from_numpy(TO_XYZ / WHITE[:, None]).to(linear)
    share = torch.einsum("ij,njhw->nihw", matrix, linear)
    root = share.clamp_min(LINEAR_BELOW) ** (1 / 3)
    root = torch.where(share > LINEAR_BELOW, root, SLOPE * share + 4 / 29)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lab(levels: Picture) -> Values:
    """Return L* (0 to 100), a* and b* of sRGB levels [..., 3] in 0 to 255."""
    encoded = torch.from_numpy(np.asarray(levels, np.float64) / GREY_LEVELS)
    as_picture = encoded.reshape(1, -1, 1, 3).permute(0, 3, 1, 2)
    converted: Values = to_lab(as_picture).permute(0, 2, 3, 1).reshape(encoded.shape).numpy()
    return converted


def colour_difference(a: Picture, b: Picture) -> Values:
    """Return the CIE 1976 difference of two pictures [H, W, 3] in 0 to 255, pixel by pixel.

    [H, W]; 2.3 is just noticeable (Mahy et al. 1994).
    """
    apart: Values = np.linalg.norm(lab(a) - lab(b), axis=-1)
    return apart
