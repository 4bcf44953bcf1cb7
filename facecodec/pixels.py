"""Pictures as bytes and as what networks take: uint8 [H, W, 3] and float32 [3, H, W] in [-1, 1]."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facecodec.types import Picture

GREY_LEVELS = 255.0  # of white, black being 0
HALF_RANGE = GREY_LEVELS / 2


def to_tensor(pictures: Picture) -> Tensor:
    """Convert uint8 pictures [N, H, W, 3] to float32 [N, 3, H, W] in [-1, 1]."""
    owned = np.require(
        pictures, requirements=("C", "W")
    )  # torch shares no memory that is read-only
    levels = torch.from_numpy(owned).permute(0, 3, 1, 2).float()
    return levels.div(HALF_RANGE).sub(1).contiguous()


def to_grey_levels(pictures: Tensor) -> Tensor:
    """Scale pictures of any shape [...] from [-1, 1] to grey levels, 0 to 255, not rounded."""
    return pictures.mul(HALF_RANGE).add(HALF_RANGE)


def to_uint8(pictures: Tensor) -> Picture:
    """Convert pictures [N, 3, H, W] in [-1, 1] to uint8 [N, H, W, 3], rounded and clamped."""
    levels = to_grey_levels(pictures).round().clamp(0, 255).byte()
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
