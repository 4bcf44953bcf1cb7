"""A segment: up to 240 frames that decode alone (SPEC.md section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding import tracks
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.initial_probabilities import SEGMENT, initial_probabilities
from facecodec.bitstream.coding.range_coder import RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.steps import from_levels, to_levels
from facecodec.bitstream.coding.timing import (
    FIRST_STEP,
    PLACED_BEFORE,
    TIMING_CONTEXTS,
    code_flags,
    code_placed,
    code_timing,
    expected_pts,
    frame_clock,
    usual_frames,
)
from facecodec.bitstream.fields import FieldReader, FieldWriter

EXACT_TYPES: dict[str, np.dtype[Any]] = {"f16": np.dtype("<f2"), "f32": np.dtype("<f4")}

# Contexts: those of `timing`, then one set for placement and one for controls.
PLACEMENT = TIMING_CONTEXTS
CONTROLS = PLACEMENT + tracks.CONTEXTS
CONTEXTS = CONTROLS + tracks.CONTEXTS
INITIAL = initial_probabilities(SEGMENT, CONTEXTS)


class FrameFlags(IntFlag):
    """What the encoder saw in a frame."""

    NO_FACE = 1
    LOW_CONFIDENCE = 2


PLACEMENT_VALUES = 4  # of a frame: centre x, y, side, angle


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

    @classmethod
    def of(
        cls,
        first: int,
        pts: Sequence[int],
        flags: Sequence[int],
        controls: Sequence[NDArray[np.float32]],
        placement: Sequence[NDArray[np.float32] | None],
    ) -> Segment:
        """Return the segment of some frames, at least one, of which `first` is the number.

        For each frame: its time, flags, controls [num_controls], and placement [4] or None.
        """
        empty = np.zeros(PLACEMENT_VALUES, np.float32)
        return cls(
            first=first,
            pts=np.array(pts, np.int64),
            flags=np.array(flags, np.uint8),
            controls=np.stack(controls),
            placement=np.stack([empty if place is None else place for place in placement]),
            placed=np.array([place is not None for place in placement]),
            parts={},
        )

    def __len__(self) -> int:
        return len(self.pts)


@dataclass
class SegmentState:
    """What a segment leaves to those that continue it.

    fast, slow: the probabilities of all contexts. placement, controls: what the tracks know.
    index, pts, flags, placed: of its last frame. step: the last between two timestamps.
    """

    fast: list[int]
    slow: list[int]
    placement: tracks.TrackMemory
    controls: tracks.TrackMemory
    index: int
    pts: int
    step: int
    flags: int
    placed: int

    def copy(self) -> SegmentState:
        """Return a state that changes on its own."""
        return SegmentState(
            self.fast[:],
            self.slow[:],
            self.placement.copy(),
            self.controls.copy(),
            self.index,
            self.pts,
            self.step,
            self.flags,
            self.placed,
        )


def pack_segment(header: StreamHeader, segment: Segment) -> bytes:
    """Return the payload of a segment chunk."""
    return pack_key(header, segment)[0]


def pack_key(header: StreamHeader, segment: Segment) -> tuple[bytes, SegmentState]:
    """Return the payload of a segment chunk, and what it leaves to a segment that continues it."""
    frames = len(segment)
    out = FieldWriter().varint(segment.first).signed(frames - usual_frames(header))
    pts = segment.pts.tolist()
    clock = frame_clock(header)
    out.signed(pts[0] - expected_pts(clock, segment.first))
    exact = EXACT_TYPES.get(header.precision)
    if exact:
        out.raw(segment.controls.astype(exact).tobytes())
    coder = RangeEncoder(INITIAL)
    state = _fresh_state(header, coder)
    _, state.step = code_timing(coder, clock, segment.first, frames, pts, pts[0])
    code_flags(coder, frames, segment.flags.tolist())
    code_placed(coder, frames, segment.placed.tolist())
    placement = to_levels(segment.placement[segment.placed], header.placement_steps)
    tracks.code_track(coder, PLACEMENT, 4, len(placement), placement, state.placement)
    if not exact:
        levels = to_levels(segment.controls, header.control_steps)
        tracks.code_track(coder, CONTROLS, header.num_controls, frames, levels, state.controls)
    return bytes(out.raw(coder.finish()).data), leave(state, segment)


def _fresh_state(header: StreamHeader, coder: RangeEncoder | RangeDecoder) -> SegmentState:
    """Return the state of a segment that begins, whose probabilities are the coder's own."""
    placement = tracks.TrackMemory.empty(4)
    controls = tracks.TrackMemory.empty(header.num_controls)
    fast, slow = coder.fast, coder.slow
    return SegmentState(fast, slow, placement, controls, 0, 0, FIRST_STEP, 0, PLACED_BEFORE)


def leave(state: SegmentState, segment: Segment) -> SegmentState:
    """Put a segment's last frame into its state; return that."""
    state.index = segment.first + len(segment) - 1
    state.pts = int(segment.pts[-1])
    state.flags = int(segment.flags[-1])
    state.placed = int(segment.placed[-1])
    return state


def parse_segment(header: StreamHeader, payload: bytes) -> Segment:
    """Decode the payload of a segment chunk.

    Raises StreamError where it breaks the format.
    """
    return parse_key(header, payload)[0]


def parse_key(header: StreamHeader, payload: bytes) -> tuple[Segment, SegmentState]:
    """Decode the payload of a segment chunk; return what it leaves to a segment that continues it.

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
    state = _fresh_state(header, coder)
    pts, state.step = code_timing(coder, clock, first, frames, None, start)
    flags = code_flags(coder, frames, None)
    placed = np.array(code_placed(coder, frames, None), bool)
    timing_end = spent(coder, body)
    levels = tracks.code_track(coder, PLACEMENT, 4, int(placed.sum()), None, state.placement)
    placement = np.zeros((frames, 4), np.float32)
    placement[placed] = from_levels(levels, header.placement_steps)
    placement_end = spent(coder, body)
    if exact:
        controls = np.frombuffer(raw, exact).reshape(frames, width).astype(np.float32)
        if not np.isfinite(controls).all():
            raise fields.fail("a control that is not a finite number")
    else:
        levels = tracks.code_track(coder, CONTROLS, width, frames, None, state.controls)
        controls = from_levels(levels, header.control_steps)
    if coder.position < len(body):
        raise fields.fail(f"{len(body) - coder.position} bytes after its last frame")
    parts = {
        "container": len(payload) - len(body) - len(raw) + timing_end,
        "placement": placement_end - timing_end,
        "controls": len(raw) + len(body) - placement_end,
    }
    segment = Segment(
        first,
        np.array(pts, np.int64),
        np.array(flags, np.uint8),
        controls,
        placement,
        placed,
        parts,
    )
    return segment, leave(state, segment)


def spent(coder: RangeDecoder, body: bytes) -> int:
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
