"""A segment: up to 240 frames that decode alone (SPEC.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding import tracks
from facecodec.bitstream.coding.binarise import SIGNED_SIZE, code_signed
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.initial_probabilities import SEGMENT, initial_probabilities
from facecodec.bitstream.coding.range_coder import Coder, RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.steps import from_levels, to_levels
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import StreamError

EXACT_TYPES: dict[str, np.dtype[Any]] = {"f16": np.dtype("<f2"), "f32": np.dtype("<f4")}

SEGMENT_SECONDS = 5  # of a usual segment
_LEAST_USUAL_FRAMES = 30
_USUAL_FRAMES_WITHOUT_RATE = 150

# Contexts: timing, flags, then one set for placement and one for controls.
TIMING = 0  # as expected; as the step before; the difference
FLAGS = TIMING + 2 + SIGNED_SIZE
PLACED = FLAGS + 4
PLACEMENT = PLACED + 2
CONTROLS = PLACEMENT + tracks.CONTEXTS
CONTEXTS = CONTROLS + tracks.CONTEXTS
INITIAL = initial_probabilities(SEGMENT, CONTEXTS)


class FrameFlags(IntFlag):
    """What the encoder saw in a frame."""

    NO_FACE = 1
    LOW_CONFIDENCE = 2


@dataclass
class Segment:
    """The frames of one segment, as arrays over frames.

    pts: int64 [frames], rising. flags: uint8 [frames]. controls: float32 [frames, num_controls].
    placement: float32 [frames, 4]; placed: bool [frames], whether the row means anything.
    parts: bytes spent on 'container', 'placement' and 'controls', known after decoding.
    """

    first: int
    pts: NDArray[np.int64]
    flags: NDArray[np.uint8]
    controls: NDArray[np.float32]
    placement: NDArray[np.float32]
    placed: NDArray[np.bool_]
    parts: dict[str, int]

    def __len__(self) -> int:
        return len(self.pts)


def frame_clock(header: StreamHeader) -> Fraction | None:
    """Return the expected length of a frame in units of the time base, None if unknown."""
    return 1 / (header.frame_rate * header.time_base) if header.frame_rate else None


def _expected_step(clock: Fraction | None, index: int, before: int) -> int:
    """Return the expected distance from frame index - 1 to frame index."""
    if clock is None:
        return before
    return _at(clock, index) - _at(clock, index - 1)


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


def _code_timing(
    coder: Coder, clock: Fraction | None, first: int, frames: int, pts: list[int] | None, start: int
) -> list[int]:
    out = [start]
    step = 1
    for i in range(1, frames):
        expected = _expected_step(clock, first + i, step)
        given = pts[i] - pts[i - 1] if pts else expected
        if coder.bit(TIMING, int(given == expected)):
            step = expected
        elif not coder.bit(TIMING + 1, int(given == step)):
            step += code_signed(coder, TIMING + 2, given - step)
        out.append(out[-1] + step)
        if step < 1 or out[-1] > limits.MAX_PTS:
            raise StreamError("timestamps that do not rise")
    return out


def _code_flags(coder: Coder, frames: int, flags: list[int] | None) -> list[int]:
    out = []
    before = 0
    for i in range(frames):
        value = 0
        for bit in range(2):
            context = FLAGS + 2 * bit + (before >> bit & 1)
            value |= coder.bit(context, flags[i] >> bit & 1 if flags else 0) << bit
        out.append(value)
        before = value
    return out


def _code_placed(coder: Coder, frames: int, placed: list[bool] | None) -> list[bool]:
    out = []
    before = 1
    for i in range(frames):
        before = coder.bit(PLACED + before, int(placed[i]) if placed else 0)
        out.append(bool(before))
    return out


def pack_segment(header: StreamHeader, segment: Segment) -> bytes:
    """Return the payload of a segment chunk."""
    frames = len(segment)
    out = FieldWriter().varint(segment.first).signed(frames - usual_frames(header))
    pts = segment.pts.tolist()
    clock = frame_clock(header)
    out.signed(pts[0] - expected_pts(clock, segment.first))
    exact = EXACT_TYPES.get(header.precision)
    if exact:
        out.raw(segment.controls.astype(exact).tobytes())
    coder = RangeEncoder(INITIAL)
    _code_timing(coder, clock, segment.first, frames, pts, pts[0])
    _code_flags(coder, frames, segment.flags.tolist())
    _code_placed(coder, frames, segment.placed.tolist())
    placement = to_levels(segment.placement[segment.placed], header.placement_steps)
    tracks.code_track(coder, PLACEMENT, 4, len(placement), placement)
    if not exact:
        levels = to_levels(segment.controls, header.control_steps)
        tracks.code_track(coder, CONTROLS, header.num_controls, frames, levels)
    return bytes(out.raw(coder.finish()).data)


def parse_segment(header: StreamHeader, payload: bytes) -> Segment:
    """Decode the payload of a segment chunk.

    Raises StreamError where it breaks the format.
    """
    fields = FieldReader(payload, "segment")
    clock = frame_clock(header)
    first, frames, start = _start(fields, header, clock)
    exact = EXACT_TYPES.get(header.precision)
    width = header.num_controls
    raw = fields.raw(frames * width * exact.itemsize) if exact else b""
    body = fields.rest()
    coder = RangeDecoder(body, INITIAL)
    pts = _code_timing(coder, clock, first, frames, None, start)
    flags = _code_flags(coder, frames, None)
    placed = np.array(_code_placed(coder, frames, None), bool)
    timing_end = _spent(coder, body)
    levels = tracks.code_track(coder, PLACEMENT, 4, int(placed.sum()), None)
    placement = np.zeros((frames, 4), np.float32)
    placement[placed] = from_levels(levels, header.placement_steps)
    placement_end = _spent(coder, body)
    if exact:
        controls = np.frombuffer(raw, exact).reshape(frames, width).astype(np.float32)
        if not np.isfinite(controls).all():
            raise fields.fail("a control that is not a finite number")
    else:
        levels = tracks.code_track(coder, CONTROLS, width, frames, None)
        controls = from_levels(levels, header.control_steps)
    if coder.position < len(body):
        raise fields.fail(f"{len(body) - coder.position} bytes after its last frame")
    parts = {
        "container": len(payload) - len(body) - len(raw) + timing_end,
        "placement": placement_end - timing_end,
        "controls": len(raw) + len(body) - placement_end,
    }
    return Segment(
        first,
        np.array(pts, np.int64),
        np.array(flags, np.uint8),
        controls,
        placement,
        placed,
        parts,
    )


def _spent(coder: RangeDecoder, body: bytes) -> int:
    """Return the bytes of the body that what was decoded so far has cost, to the nearest."""
    ahead = (coder.range.bit_length() + 3) // 8  # bytes taken but not yet used
    return max(0, min(coder.position - ahead, len(body)))


def segment_start(header: StreamHeader, payload: bytes) -> tuple[int, int, int]:
    """Return first frame, number of frames and first pts of a segment without decoding it."""
    return _start(FieldReader(payload, "segment"), header, frame_clock(header))


def take_frames(fields: FieldReader, usual: int) -> int:
    """Take a number of frames, stored as its difference to the usual one.

    Raises StreamError for a number outside the limits.
    """
    frames = usual + fields.signed(limits.MAX_SEGMENT_FRAMES, "number of frames")
    if not 1 <= frames <= limits.MAX_SEGMENT_FRAMES:
        raise fields.fail(f"number of frames is {frames}, allowed is 1 to 240")
    return frames


def _start(
    fields: FieldReader, header: StreamHeader, clock: Fraction | None
) -> tuple[int, int, int]:
    first = fields.varint(0, limits.MAX_PTS, "first frame")
    frames = take_frames(fields, usual_frames(header))
    pts = expected_pts(clock, first) + fields.signed(2 * limits.MAX_PTS, "timestamp")
    if abs(pts) > limits.MAX_PTS:
        raise fields.fail("a timestamp out of range")
    return first, frames, pts
