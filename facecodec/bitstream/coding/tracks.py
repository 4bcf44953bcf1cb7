"""The integer tracks of a segment: predicted from their own past, coded by context (SPEC.md 6.4).

A track is a row of integers a frame: the quantised controls, or the quantised placement. Each is
coded as its difference to the frame before. How likely a value is to move, which way and how far
is estimated from how much it moved lately (three memories of different length), how much the
values before it moved in this frame, and which way it has been drifting. All arithmetic is in
integers; `>>` rounds down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding import compiled
from facecodec.bitstream.coding.binarise import (
    SIGNED_SIZE,
    UNARY,
    code_magnitude_pair,
    code_signed,
)
from facecodec.bitstream.coding.range_coder import Coder
from facecodec.bitstream.limits import MAX_LEVEL
from facecodec.errors import StreamError

# How finely each memory of a value is told apart.
OWN_LEVELS = 8  # how much it moved lately
USUAL_LEVELS = 8  # how much it moves in the long run
CALM_LEVELS = 8  # how much it moves in between
NEAR_LEVELS = 4  # how much the values before it moved in this frame
MAX_TOWARDS = 3  # which way it drifts, from -3 to 3
MAX_SIZE = 64  # a larger move is remembered as one of this size
FELL, STAYED, ROSE = range(3)

# Contexts of one kind of track, from its base. FIRST: the first frame of a segment, as a signed
# integer. MOVED_*: whether a value differs from the frame before. DOWN: whether it fell. SIZE_*:
# by how much. A decision with two contexts, _A and _B, uses the mean of their probabilities.
FIRST = 0
MOVED_A = FIRST + SIGNED_SIZE
MOVED_B = MOVED_A + OWN_LEVELS * USUAL_LEVELS
DOWN = MOVED_B + NEAR_LEVELS * CALM_LEVELS * (1 + MAX_TOWARDS)
SIZE_A = DOWN + (2 * MAX_TOWARDS + 1) * 3
SIZE_B = SIZE_A + OWN_LEVELS * UNARY
CONTEXTS = SIZE_B + CALM_LEVELS * UNARY

# The memories are integers: a move of size 1 counts so many units, and a memory goes 1 / 2^bits of
# the way to the last move, rounded to nearest (the drift: down).
SHORT_UNITS, SHORT_BITS = 8, 1
MEDIUM_UNITS, MEDIUM_BITS = 16, 3
LONG_UNITS, LONG_BITS = 64, 4
DRIFT_UNITS, DRIFT_BITS = 16, 1
AROUND_UNITS, AROUND_BITS = 2, 1  # of the values before it in this row
START_MEDIUM, START_LONG = 8, 24  # units
# By so many bits a memory is shifted to become a level.
OWN_SHIFT, CALM_SHIFT, USUAL_SHIFT, NEAR_SHIFT, TOWARDS_SHIFT = 2, 2, 3, 1, 2
# Added before a shift: all but one, to round up, or half, to round to nearest.
_OWN_UP, _NEAR_UP = (1 << OWN_SHIFT) - 1, (1 << NEAR_SHIFT) - 1
_TOWARDS_HALF = 1 << TOWARDS_SHIFT - 1
_SHORT_HALF, _MEDIUM_HALF = 1 << SHORT_BITS - 1, 1 << MEDIUM_BITS - 1
_LONG_HALF, _AROUND_HALF = 1 << LONG_BITS - 1, 1 << AROUND_BITS - 1


@dataclass
class TrackMemory:
    """What a track knows of its past, a number a column: where the next row is predicted from.

    last: the row before, None before the first. short, medium, long: how much each value moved,
    in three memories that forget faster and slower. drift: which way it moves. before:
    what it did last.
    """

    last: list[int] | None
    short: list[int]
    medium: list[int]
    long: list[int]
    drift: list[int]
    before: list[int]

    @classmethod
    def empty(cls, width: int) -> TrackMemory:
        """Return the memory of a track of `width` columns that has no row yet."""
        zeros = [0] * width
        return cls(
            None,
            zeros[:],
            [START_MEDIUM] * width,
            [START_LONG] * width,
            zeros[:],
            [STAYED] * width,
        )

    def copy(self) -> TrackMemory:
        """Return a memory that changes on its own."""
        return TrackMemory(
            None if self.last is None else self.last[:],
            self.short[:],
            self.medium[:],
            self.long[:],
            self.drift[:],
            self.before[:],
        )


def code_track(
    coder: Coder,
    base: int,
    width: int,
    frames: int,
    levels: NDArray[np.int64] | None,
    memory: TrackMemory | None = None,
) -> NDArray[np.int64]:
    """Code a track of integers, int64 [frames, width]; return it.

    base: the first of its CONTEXTS contexts. levels: int64 [frames, width] to encode, None to
    decode. memory: of the rows before, which takes in these; None for a track that begins.
    Raises StreamError for a value beyond MAX_LEVEL.
    """
    memory = memory or TrackMemory.empty(width)
    library = compiled.worth_it(coder, frames * width)
    if library:
        out = np.zeros((frames, width), np.int64) if levels is None else levels.astype(np.int64)
        compiled.code_track(library, coder, base, out, memory, levels is None)
        return out
    out = np.zeros((frames, width), np.int64)
    for row in range(frames):
        given = None if levels is None else levels[row].tolist()
        if memory.last is None:
            memory.last = _code_first(coder, base, given or [0] * width)
        else:
            _code_next(coder, base, memory.last, given or memory.last, memory)
        out[row] = memory.last
    return out


def _code_first(coder: Coder, base: int, given: list[int]) -> list[int]:
    """Code the first row of a track; return it."""
    row = [code_signed(coder, base + FIRST, value) for value in given]
    if any(abs(value) > MAX_LEVEL for value in row):
        raise StreamError("a coded value is out of range")
    return row


def _code_next(
    coder: Coder, base: int, last: list[int], given: list[int], memory: TrackMemory
) -> None:
    """Code a row after `last`, which becomes that row; take it into the memory."""
    short, medium, long = memory.short, memory.medium, memory.long
    drift, before = memory.drift, memory.before
    around = 0
    for i, value in enumerate(given):
        own = min((short[i] + _OWN_UP) >> OWN_SHIFT, OWN_LEVELS - 1)
        calm = min(medium[i] >> CALM_SHIFT, CALM_LEVELS) - 1
        usual = min(long[i] >> USUAL_SHIFT, USUAL_LEVELS) - 1
        near = min((around + _NEAR_UP) >> NEAR_SHIFT, NEAR_LEVELS - 1)
        towards = (drift[i] + _TOWARDS_HALF) >> TOWARDS_SHIFT
        towards = max(-MAX_TOWARDS, min(towards, MAX_TOWARDS))
        change = value - last[i]
        first = base + MOVED_A + own * USUAL_LEVELS + usual
        second = base + MOVED_B + (near * CALM_LEVELS + calm) * (1 + MAX_TOWARDS) + abs(towards)
        if coder.pair(first, second, int(change != 0)):
            where = base + DOWN + (towards + MAX_TOWARDS) * 3 + before[i]
            fell = coder.bit(where, int(change < 0))
            first = base + SIZE_A + own * UNARY
            second = base + SIZE_B + calm * UNARY
            size = code_magnitude_pair(coder, first, second, abs(change))
            change = -size if fell else size
            before[i] = FELL if fell else ROSE
            last[i] += change
            if not -MAX_LEVEL <= last[i] <= MAX_LEVEL:
                raise StreamError("a coded value is out of range")
            size = min(size, MAX_SIZE)
            change = max(-MAX_SIZE, min(change, MAX_SIZE))
        else:
            before[i] = STAYED
            change = size = 0
        short[i] += (SHORT_UNITS * size - short[i] + _SHORT_HALF) >> SHORT_BITS
        medium[i] += (MEDIUM_UNITS * size - medium[i] + _MEDIUM_HALF) >> MEDIUM_BITS
        long[i] += (LONG_UNITS * size - long[i] + _LONG_HALF) >> LONG_BITS
        drift[i] += (DRIFT_UNITS * change - drift[i]) >> DRIFT_BITS
        around += (AROUND_UNITS * size - around + _AROUND_HALF) >> AROUND_BITS
