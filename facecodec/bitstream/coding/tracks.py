"""The integer tracks of a segment: predicted from their own past, coded by context (SPEC.md 6.4).

A track is a row of integers a frame: the quantised controls, or the quantised placement. Each is
coded as its difference to the frame before. How likely a value is to move, which way and how far
is read off how much it moved lately (three memories of different length), how much the values
before it moved in this frame, and where it has been drifting. All arithmetic is in integers; `>>`
rounds down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding.binarise import UNARY, code_magnitude_pair, code_signed
from facecodec.bitstream.coding.range_coder import Coder
from facecodec.bitstream.limits import MAX_LEVEL
from facecodec.errors import StreamError

# Contexts of one kind of track, from its base. FIRST: the first frame of a segment, as a signed
# integer. MOVED_*: whether a value differs from the frame before. DOWN: whether it fell. SIZE_*:
# by how much. A decision with two contexts, _A and _B, uses the mean of their probabilities.
FIRST = 0
MOVED_A = FIRST + 2 + UNARY
MOVED_B = MOVED_A + 8 * 8
DOWN = MOVED_B + 4 * 8 * 4
SIZE_A = DOWN + 7 * 3
SIZE_B = SIZE_A + 8 * UNARY
SIZE = SIZE_B + 8 * UNARY

START_MEDIUM = 8
START_LONG = 24


def code_track(
    coder: Coder, base: int, width: int, frames: int, levels: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Code a [frames, width] track of integers; `levels` is None when decoding."""
    out = np.zeros((frames, width), np.int64)
    if not frames:
        return out
    given = [0] * width if levels is None else levels[0].tolist()
    last = [code_signed(coder, base + FIRST, value) for value in given]
    if any(abs(value) > MAX_LEVEL for value in last):
        raise StreamError("a coded value is out of range")
    out[0] = last
    short = [0] * width
    medium = [START_MEDIUM] * width
    long = [START_LONG] * width
    drift = [0] * width
    before = [1] * width  # the last difference: 0 fell, 1 stayed, 2 rose
    for frame in range(1, frames):
        given = last if levels is None else levels[frame].tolist()
        around = 0
        for i in range(width):
            own = min((short[i] + 3) >> 2, 7)
            calm = min(medium[i] >> 2, 8) - 1
            usual = min(long[i] >> 3, 8) - 1
            near = min((around + 1) >> 1, 3)
            towards = max(-3, min((drift[i] + 2) >> 2, 3))
            change = given[i] - last[i]
            first = base + MOVED_A + own * 8 + usual
            second = base + MOVED_B + (near * 8 + calm) * 4 + abs(towards)
            if coder.pair(first, second, int(change != 0)):
                where = base + DOWN + (towards + 3) * 3 + before[i]
                fell = coder.bit(where, int(change < 0))
                first = base + SIZE_A + own * UNARY
                second = base + SIZE_B + calm * UNARY
                size = code_magnitude_pair(coder, first, second, abs(change))
                change = -size if fell else size
                before[i] = 0 if fell else 2
                last[i] += change
                if not -MAX_LEVEL <= last[i] <= MAX_LEVEL:
                    raise StreamError("a coded value is out of range")
                size = min(size, 64)
                change = max(-64, min(change, 64))
            else:
                before[i] = 1
                change = size = 0
            short[i] += (8 * size - short[i] + 1) >> 1
            medium[i] += (16 * size - medium[i] + 4) >> 3
            long[i] += (64 * size - long[i] + 8) >> 4
            drift[i] += (16 * change - drift[i]) >> 1
            around += (2 * size - around + 1) >> 1
        out[frame] = last
    return out
