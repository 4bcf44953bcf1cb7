"""When frames are shown: the clock of a stream, timestamps, and the flags of frames (SPEC.md 5)."""

from __future__ import annotations

from fractions import Fraction

from facecodec.bitstream import limits
from facecodec.bitstream.coding.binarise import SIGNED_SIZE, code_signed
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.range_coder import Coder
from facecodec.errors import StreamError

SEGMENT_SECONDS = 5  # of a usual segment
_LEAST_USUAL_FRAMES = 30
_USUAL_FRAMES_WITHOUT_RATE = 150
FIRST_STEP = 1  # between two timestamps, before any is known
PLACED_BEFORE = 1  # what the frame before the first is taken to have been

# Contexts.
TIMING = 0  # as expected; as the step before; the difference
FLAGS = TIMING + 2 + SIGNED_SIZE
PLACED = FLAGS + 4
TIMING_CONTEXTS = PLACED + 2


def frame_clock(header: StreamHeader) -> Fraction | None:
    """Return the expected length of a frame in units of the time base, None if unknown."""
    return 1 / (header.frame_rate * header.time_base) if header.frame_rate else None


def expected_step(clock: Fraction | None, index: int, before: int, back: int = 1) -> int:
    """Return the expected distance from frame index - back to frame index.

    before: the last step between two frames, which stands for a clock that is not known.
    """
    if clock is None:
        return before * back
    return _at(clock, index) - _at(clock, index - back)


def usual_frames(header: StreamHeader) -> int:
    """Return the number of frames of a usual segment: about five seconds."""
    rate = header.frame_rate
    if rate is None:
        return _USUAL_FRAMES_WITHOUT_RATE
    frames = _at(rate, SEGMENT_SECONDS)
    return min(max(frames, _LEAST_USUAL_FRAMES), limits.MAX_SEGMENT_FRAMES)


def usual_step(header: StreamHeader) -> int:
    """Return the usual distance between two frames in units of the time base, at least 1."""
    clock = frame_clock(header)
    return max(_at(clock, 1), 1) if clock else 1


def expected_pts(clock: Fraction | None, index: int) -> int:
    """Return where a stream of steady rate that began at 0 has frame `index`; 0 if unknown."""
    pts = _at(clock, index) if clock else 0
    return pts if pts <= limits.MAX_PTS else 0


def _at(clock: Fraction, index: int) -> int:
    """Return index x clock, rounded to the nearest integer, halves up."""
    return (2 * index * clock.numerator + clock.denominator) // (2 * clock.denominator)


def code_step(coder: Coder, expected: int, before: int, step: int) -> int:
    """Code a step between two timestamps; return it. Raises StreamError for one below 1."""
    if coder.bit(TIMING, int(step == expected)):
        step = expected
    elif coder.bit(TIMING + 1, int(step == before)):
        step = before
    else:
        step = before + code_signed(coder, TIMING + 2, step - before)
    if step < 1:
        raise StreamError("timestamps that do not rise")
    return step


def code_timing(
    coder: Coder,
    clock: Fraction | None,
    first: int,
    frames: int,
    pts: list[int] | None,
    start: int,
    step: int = FIRST_STEP,
) -> tuple[list[int], int]:
    """Code the timestamps after the first one, `start`; return all, and the last step.

    pts: to encode, None to decode. step: the one before.
    Raises StreamError for timestamps that do not rise.
    """
    out = [start]
    for i in range(1, frames):
        expected = expected_step(clock, first + i, step)
        given = pts[i] - pts[i - 1] if pts else expected
        step = code_step(coder, expected, step, given)
        out.append(out[-1] + step)
        if out[-1] > limits.MAX_PTS:
            raise StreamError("timestamps that do not rise")
    return out, step


def code_flags(coder: Coder, frames: int, flags: list[int] | None, before: int = 0) -> list[int]:
    """Code the flags of frames; return them. before: those of the frame before."""
    out = []
    for i in range(frames):
        value = 0
        for bit in range(2):
            context = FLAGS + 2 * bit + (before >> bit & 1)
            value |= coder.bit(context, flags[i] >> bit & 1 if flags else 0) << bit
        out.append(value)
        before = value
    return out


def code_placed(
    coder: Coder, frames: int, placed: list[bool] | None, before: int = PLACED_BEFORE
) -> list[bool]:
    """Code which frames have a placement; return it. before: whether the one before has one."""
    out = []
    for i in range(frames):
        before = coder.bit(PLACED + before, int(placed[i]) if placed else 0)
        out.append(bool(before))
    return out
