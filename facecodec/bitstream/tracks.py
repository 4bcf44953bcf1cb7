"""The integer tracks of a segment: predicted from their own past, coded by context (SPEC.md 6.4).

A track is a row of integers a frame: the quantised controls, or the quantised placement. All
arithmetic is in integers; `>>` rounds down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.limits import MAX_LEVEL
from facecodec.bitstream.models import code_magnitude
from facecodec.bitstream.rangecoder import HALF, Coder
from facecodec.errors import StreamError

ACTIVITIES = 8
SLOPES = 3
UNARY = 14
# Contexts of one kind of track: zero flags, signs, magnitudes.
ZERO = 0
SIGN = ZERO + ACTIVITIES * ACTIVITIES * SLOPES
MAGNITUDE = SIGN + SLOPES
SIZE = MAGNITUDE + ACTIVITIES * UNARY
INITIAL = [HALF] * SIZE


def code_track(
    coder: Coder, context: int, width: int, frames: int, levels: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Code a [frames, width] track of integers; `levels` is None when decoding."""
    out = np.zeros((frames, width), np.int64)
    last = [0] * width
    slope = [0] * width
    recent = [0] * width
    for frame in range(frames):
        given = last if levels is None else levels[frame].tolist()
        around = 0
        for i in range(width):
            own = min(recent[i] + 3 >> 2, 7)
            near = min(around + 1 >> 1, 7)
            trend = (slope[i] > 0) - (slope[i] < 0) + 1
            residual = given[i] - last[i]
            where = context + ZERO + (own * ACTIVITIES + near) * SLOPES + trend
            if coder.bit(where, int(residual != 0)):
                negative = coder.bit(context + SIGN + trend, int(residual < 0))
                where = context + MAGNITUDE + own * UNARY
                size = code_magnitude(coder, where, abs(residual), UNARY)
                residual = -size if negative else size
            else:
                residual = size = 0
            slope[i] = residual
            last[i] += residual
            recent[i] += (8 * min(size, 64) - recent[i] + 1) >> 1
            around += (2 * min(size, 64) - around + 1) >> 1
            if not -MAX_LEVEL <= last[i] <= MAX_LEVEL:
                raise StreamError("a coded value is out of range")
        out[frame] = last
    return out
