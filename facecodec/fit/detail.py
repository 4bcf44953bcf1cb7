"""Detail: a full render compared with its frame at the frame's own size, octave by octave.

Small pictures say nothing about what is finer, and absolute differences alone prefer wax: hair in
the wrong place costs more than no hair. So the last steps of a fit look at full renders, and want
as much detail in every octave as the frame has there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.fit.objective import DETAIL_WEIGHT, SCALES, band

COARSEST_PIXELS = 64  # side in pixels of the coarsest pictures compared
# Side in pixels of the patches over which amplitudes are averaged. In small ones hair in the wrong
# place has the wrong amplitude as well, and less hair is again nearer than hair elsewhere.
PATCH_SIZE = 16
# Of a range of 2. A ratio of fainter amplitudes than the first tells nothing; the second is usual
# for octaves of 4 to 8 pixels of 1024.
FAINTEST_DETAIL = 0.001
USUAL_DETAIL = 0.03


def detail_loss(render: Tensor, target: Tensor, weights: Tensor, amplitude_weight: float) -> Tensor:
    """Return how far a render's octaves are from a frame's, a scalar [].

    `render` and `target` [1, 3, S, S], `weights` [1, 1, S, S]. Every octave from S pixels to
    `COARSEST_PIXELS` adds the weighted absolute difference of pictures, `DETAIL_WEIGHT` times that
    of bands, as in `multiscale_l1`, and `amplitude_weight` times `amplitude_difference`.
    """
    total = render.new_zeros(())
    while render.shape[-1] >= COARSEST_PIXELS:
        smaller, detail = band(render)
        smaller_target, target_detail = band(target)
        difference = (render - target).abs() + DETAIL_WEIGHT * (detail - target_detail).abs()
        total = total + (difference.mean(1, keepdim=True) * weights).sum() / weights.sum()
        total = total + amplitude_weight * amplitude_difference(detail, target_detail, weights)
        render, target, weights = smaller, smaller_target, F.avg_pool2d(weights, 2)
    return total / SCALES


def amplitude_difference(detail: Tensor, target_detail: Tensor, weights: Tensor) -> Tensor:
    """Return how far the amplitude of a band is from its target's, a scalar [].

    `detail` and `target_detail` [1, 3, S, S], `weights` [1, 1, S, S]. The absolute logarithm of the
    ratio in every patch, so that faint detail is missed as well as strong, in units of the
    geometric mean of the target's mean amplitude and `USUAL_DETAIL`: the finest octaves, which are
    the faintest, are not lost among the others.
    """
    amplitude, wanted = _amplitude(detail, weights), _amplitude(target_detail, weights)
    ratio = (amplitude + FAINTEST_DETAIL) / (wanted + FAINTEST_DETAIL)
    shares = _patches(weights)
    shares = shares / shares.sum()
    unit = ((wanted * shares).sum() * USUAL_DETAIL).sqrt()
    return unit * (torch.log(ratio).abs() * shares).sum()


def _amplitude(detail: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean amplitude of detail [1, 3, S, S] in every patch, [1, 1, P, P]."""
    amplitude = detail.abs().mean(1, keepdim=True)
    return _patches(amplitude * weights) / _patches(weights).clamp_min(1e-6)


def _patches(values: Tensor) -> Tensor:
    """Return the means of values [1, 1, S, S] over overlapping patches."""
    return F.avg_pool2d(values, PATCH_SIZE, PATCH_SIZE // 4)
