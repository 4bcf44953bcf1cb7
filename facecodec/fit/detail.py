"""Detail: a full render compared with its frame at the frame's own size, octave by octave.

Small pictures say nothing about what is finer, and absolute differences alone prefer wax: hair in
the wrong place costs more than no hair. So the last steps of a fit look at full renders, and want
as much detail in every octave as the frame has there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import cuda_ops
from facecodec.fit.objective import SCALES, band, shrink
from facecodec.metrics.colour import to_lab

COARSEST_PIXELS = 64  # side in pixels of the coarsest pictures compared
COLOUR_PIXELS = 512  # of the finest compared in colour: videos have half as much of it (4:2:0)
# Side in pixels of the patches over which amplitudes are averaged. In small ones hair in the wrong
# place has the wrong amplitude as well, and less hair is again nearer than hair elsewhere.
PATCH_SIZE = 16
# Eyes and mouth are a hundredth of a square, and where they are soft a face is dead. So their
# amplitudes count a second time, by themselves, in patches of this share of the side: an iris.
FEATURE_PATCH_SHARE = 1 / 32
# Of a range of 2. A ratio of fainter amplitudes than the first tells nothing; the second is usual
# for octaves of 4 to 8 pixels of 1024.
FAINTEST_DETAIL = 0.001
USUAL_DETAIL = 0.03
# Amplitudes of eyes and mouth count no more than those of the skin, which has its detail or is wax.
FACE_WEIGHT = 1.0
# Logarithms of ratios nearer than this count by their square: the last tenth of a patch's detail is
# not seen, and where detail lies elsewhere it costs most likeness.
NEARLY_RIGHT = 0.2
# Units of CIELAB that weigh as much as a difference of 1 of a range of 2.
LAB_UNITS = 50.0
SMALLEST_LAB_DIFFERENCE = 0.01  # so that the root has a derivative


@dataclass(frozen=True)
class DetailWeights:
    """What weighs how much beside 1 for the difference of pictures, in every octave.

    Amplitudes alone would be right anywhere in a patch: the difference of bands, which counts more
    here than among small pictures, keeps detail where it is in the frame.
    """

    band: float = 3.0  # of the difference of bands
    amplitude: float = 6.0  # of `amplitude_difference`
    features: float = 3.0  # of the same in eyes and mouth alone, in small patches
    grain: float = 4.0  # of finer detail than the frame shows (facecodec.fit.grain)
    colour: float = 2.0  # of `colour_loss`, once


class Wanted(NamedTuple):
    """The amplitudes of a target's band over patches, [1, 1, P, P], and how much patches count.

    weights [1, 1, P, P]; shares: the same, 1 in all. unit []: see `amplitude_difference`.
    """

    amplitude: Tensor
    weights: Tensor
    shares: Tensor
    unit: Tensor


# What is wanted of a target, by the side of the picture, and whether of its features alone.
Known = dict[tuple[int, bool], Wanted]


def detail_loss(
    render: Tensor,
    target: Tensor,
    weights: Tensor,
    how: DetailWeights,
    known: Known | None = None,
) -> Tensor:
    """Return how far a render's octaves are from a frame's, a scalar [].

    `render` and `target` [1, 3, S, S], `weights` [1, 1, S, S]. Every octave from S pixels to
    `COARSEST_PIXELS` adds the weighted absolute difference of pictures, `how.band` times that of
    bands, and `how.amplitude` times `amplitude_difference`; where weights are above `FACE_WEIGHT`,
    which is at eyes and mouth, `how.features` times that in small patches as well. Larger pictures
    than `COLOUR_PIXELS` are compared in grey. known: what was found of this target before; filled.
    """
    known = {} if known is None else known
    total = render.new_zeros(())
    while render.shape[-1] >= COARSEST_PIXELS:
        colours = render, target
        if render.shape[-1] > COLOUR_PIXELS:
            render, target = (picture.mean(1, keepdim=True) for picture in colours)
        _, detail = band(render)
        _, target_detail = band(target)
        apart = cuda_ops.apart(render, target, weights)
        apart = apart + how.band * cuda_ops.apart(detail, target_detail, weights)
        total = total + apart / weights.sum()
        amplitude = cuda_ops.mean_size(detail)
        alike = weights.clamp_max(FACE_WEIGHT)
        side = render.shape[-1]
        for features, part, weight, patch in (
            (False, alike, how.amplitude, PATCH_SIZE),
            (True, weights - alike, how.features, round(side * FEATURE_PATCH_SHARE)),
        ):
            if (side, features) not in known:
                known[side, features] = wanted(target_detail, part, patch)
            total = total + weight * _missed(amplitude, part, patch, known[side, features])
        render, target = (cuda_ops.halved(picture) for picture in colours)
        weights = cuda_ops.halved(weights)
    return total / SCALES


def amplitude_difference(
    detail: Tensor, target_detail: Tensor, weights: Tensor, patch: int = PATCH_SIZE
) -> Tensor:
    """Return how far the amplitude of a band is from its target's, a scalar [].

    `detail` and `target_detail` [1, C, S, S], `weights` [1, 1, S, S], `patch` the pixels over which
    amplitudes are averaged. 0 where all weights are. The logarithm of the ratio in
    every patch, so that faint detail is missed as well as strong, by Huber's function (1964): its
    square up to `NEARLY_RIGHT`, its absolute value beyond. In units of the geometric mean of the
    target's mean amplitude and `USUAL_DETAIL`: the finest octaves, which are the faintest, are not
    lost among the others.
    """
    sought = wanted(target_detail, weights, patch)
    return _missed(cuda_ops.mean_size(detail), weights, patch, sought)


def wanted(target_detail: Tensor, weights: Tensor, patch: int) -> Wanted:
    """Return what is wanted of a band [1, C, S, S], weighted by `weights` [1, 1, S, S]."""
    shares = _patches(weights, patch)
    counted = shares.clamp_min(1e-6)
    amplitude = _patches(cuda_ops.mean_size(target_detail) * weights, patch) / counted
    shares = shares / shares.sum().clamp_min(1e-6)
    return Wanted(amplitude, counted, shares, ((amplitude * shares).sum() * USUAL_DETAIL).sqrt())


def _missed(size: Tensor, weights: Tensor, patch: int, target: Wanted) -> Tensor:
    """Return how far the amplitude of a band is from what is wanted, a scalar [].

    `size` [1, 1, S, S]: the band's mean absolute value over the channels.
    """
    amplitude = _patches(size * weights, patch) / target.weights
    ratio = torch.log((amplitude + FAINTEST_DETAIL) / (target.amplitude + FAINTEST_DETAIL))
    far = F.huber_loss(ratio, torch.zeros_like(ratio), reduction="none", delta=NEARLY_RIGHT)
    return target.unit * (far * target.shares).sum() / NEARLY_RIGHT


def colour_loss(render: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean difference in CIELAB of pictures averaged to few pixels, [].

    `render` and `target` [1, 3, S, S] in [-1, 1], `weights` [1, 1, S, S]. Absolute differences of
    red, green and blue see hardly anything of a hue: a cheek that is too red is off in one of them.
    """
    size = COARSEST_PIXELS
    first, second, small = (shrink(picture, size) for picture in (render, target, weights))
    apart = to_lab((first + 1) / 2) - to_lab((second + 1) / 2)
    squared = apart.square().sum(1, keepdim=True)
    lengths = (squared + SMALLEST_LAB_DIFFERENCE**2).sqrt()
    differences = lengths - SMALLEST_LAB_DIFFERENCE
    return (differences * small).sum() / (LAB_UNITS * small.sum())


def _patches(values: Tensor, patch: int) -> Tensor:
    """Return the means of values [1, 1, S, S] over overlapping patches, a quarter of one apart."""
    apart = max(1, patch // 4)
    if patch % apart or values.shape[-1] % apart:
        return F.avg_pool2d(values, patch, apart)
    # means of the few cells that a patch has: every value is read once, not 16 times
    return F.avg_pool2d(shrink(values, values.shape[-1] // apart), patch // apart, 1)
