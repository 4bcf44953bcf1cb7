"""Grain: detail of a full render that is finer than the frame it is compared with.

A frame says nothing about such detail. A fit that sees small pictures alone is free to shade skin
with a weave of pixels that vanishes in each of them, so a full render is looked at, too.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

import cuda_ops
from facecodec.fit.objective import Target, band, shrink

# Mean amplitude of an octave in the generator's own faces over that of the next coarser one, from 1
# to 2 pixels of 1024 and from 2 to 4 (24 faces, truncation 0.7): skin 0.78 and 0.80, hair 0.68 and
# 0.86, eyes 0.58 and 0.59. A weave has more.
NATURAL_RATIO = 0.8
FREE_GRAIN = 0.002  # mean amplitude, of a range of 2, that costs nothing anywhere
PATCH_SIZE = 2  # pixels of the frame over which amplitudes are averaged


class Finest(NamedTuple):
    """A target's finest detail: mean amplitudes over patches, and how much they count.

    Both [1, 1, P, P].
    """

    amplitude: Tensor
    weights: Tensor


def finest_of(target: Target) -> Finest:
    """Return a target's finest detail."""
    patches = target.picture.shape[-1] // PATCH_SIZE
    _, detail = band(target.picture[None])
    amplitude = shrink(cuda_ops.mean_size(detail), patches)
    return Finest(amplitude, shrink(target.weights[None], patches))


def grain(full_render: Tensor, target: Target, finest: Finest | None = None) -> Tensor:
    """Return how much finer detail a render [1, 3, R, R] has than its frame warrants, a scalar [].

    Every octave beyond the frame's own S pixels may be `NATURAL_RATIO` times as strong as the one
    before, from the frame's finest on, plus `FREE_GRAIN`; the excess is averaged with the target's
    weights. 0 where R < 2 S. finest: `finest_of` the target, where that is known.
    """
    size = target.picture.shape[-1]
    if full_render.shape[-1] < 2 * size:
        return full_render.new_zeros(())
    amplitude, weights = finest or finest_of(target)
    total = full_render.new_zeros(())
    while full_render.shape[-1] >= 2 * size:
        octaves = (full_render.shape[-1] // size).bit_length() - 1
        full_render, detail = band(full_render)
        warranted = FREE_GRAIN + NATURAL_RATIO**octaves * amplitude
        excess = F.relu(shrink(cuda_ops.mean_size(detail), len(amplitude[0, 0])) - warranted)
        total = total + (excess * weights).sum() / weights.sum()
    return total
