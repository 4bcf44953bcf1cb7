"""Grain: detail of a full render that is finer than the frame it is compared with.

A frame says nothing about such detail. A fit that sees small pictures alone is free to shade a
background with a mesh of pixels that vanishes in each of them, so a full render is compared too.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from facecodec.fit.objective import Target, band, shrink

# Mean amplitude, of a range of 2, of the detail beyond 256 pixels in skin and hair of the
# generator's own faces: that much costs nothing.
FREE_GRAIN = 0.02
PATCH_SIZE = 2  # pixels of the frame over which amplitudes are averaged


def grain(full_render: Tensor, target: Target) -> Tensor:
    """Return how much finer detail a render [1, 3, R, R] has than its frame warrants, a scalar [].

    The detail beyond the frame's own S pixels may be as strong as the frame's finest octave plus
    `FREE_GRAIN`; the excess is averaged with the target's weights. 0 where R < 2 S.
    """
    size = target.picture.shape[-1]
    factor = full_render.shape[-1] // size
    if factor < 2:
        return full_render.new_zeros(())
    _, beyond = band(full_render, factor)
    _, finest = band(target.picture[None])
    warranted = FREE_GRAIN + F.avg_pool2d(_amplitude(finest), PATCH_SIZE)
    excess = F.relu(F.avg_pool2d(_amplitude(beyond), PATCH_SIZE * factor) - warranted)
    weights = shrink(target.weights[None], size // PATCH_SIZE)
    return (excess * weights).sum() / weights.sum()


def _amplitude(detail: Tensor) -> Tensor:
    """Return the mean absolute value over the channels of detail [N, 3, S, S], [N, 1, S, S]."""
    return detail.abs().mean(1, keepdim=True)
