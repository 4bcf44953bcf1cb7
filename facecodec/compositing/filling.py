"""What is hidden in a picture, filled in smoothly."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.types import Picture

SHOWN_SHARE = 1e-4  # of a pixel, below which nothing is known of it
PIXELS_POOLED = 4  # of a level in each of the next


def filled(frame: Picture, hidden: NDArray[np.float32]) -> Picture:
    """Return a frame [H, W, 3] whose hidden pixels are filled from around them.

    hidden [H, W]: 1 where a pixel is to be filled in, 0 where it is kept, between them a mixture.
    """
    levels = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1)
    result = filled_levels(levels, torch.from_numpy(np.ascontiguousarray(hidden)))
    whole: Picture = result.permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
    return whole


def filled_levels(frame: Tensor, hidden: Tensor) -> Tensor:
    """Return grey levels [3, H, W] whose hidden pixels, [H, W] of 0 to 1, are filled in.

    What is near counts most: means of what is shown, over ever larger blocks, are laid into what
    is hidden from the largest down (pull-push: Gortler et al. 1996, "The Lumigraph", SIGGRAPH).
    """
    levels = [(frame[None], (1 - hidden)[None, None])]
    while max(levels[-1][0].shape[-2:]) > 1:
        colours, share = levels[-1]
        total = F.avg_pool2d(share, 2, ceil_mode=True)
        mean = F.avg_pool2d(colours * share, 2, ceil_mode=True) / total.clamp_min(SHOWN_SHARE)
        levels.append((mean, (PIXELS_POOLED * total).clamp(max=1)))
    result = levels[-1][0]
    for colours, share in reversed(levels[:-1]):
        wide = F.interpolate(result, colours.shape[-2:], mode="bilinear", align_corners=False)
        result = wide + share * (colours - wide)
    return result[0]
