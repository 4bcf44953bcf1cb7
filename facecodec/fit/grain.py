"""Grain: what of a full picture is finer than the frame it is compared with.

A frame says nothing about it, and a fit that looks at small pictures alone shades a background by
weaving a mesh that none of them shows. Previews do not know it either, and are the worse for it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from facecodec.fit.objective import Target, band, shrink

FREE = 0.02  # of a range of 2: skin and hair of the generator's own faces
PATCH = 2  # pixels of the frame over which grain is averaged


def grain(full: Tensor, target: Target) -> Tensor:
    """Return how much finer detail a render [1, 3, R, R] has than its frame warrants, weighted.

    What lies beyond the frame's own S pixels may be `FREE` and as much as the frame's finest band
    is there, mean sizes over a patch; what is more counts. 0 where R is not above S.
    """
    size = target.picture.shape[-1]
    factor = full.shape[-1] // size
    if factor < 2:
        return full.new_zeros(())
    _, beyond = band(full, factor)
    _, finest = band(target.picture[None])
    warranted = FREE + F.avg_pool2d(_size_of(finest), PATCH)
    excess = F.relu(F.avg_pool2d(_size_of(beyond), PATCH * factor) - warranted)
    weights = shrink(target.weights[None], size // PATCH)
    return (excess * weights).sum() / weights.sum()


def _size_of(detail: Tensor) -> Tensor:
    return detail.abs().mean(1, keepdim=True)
