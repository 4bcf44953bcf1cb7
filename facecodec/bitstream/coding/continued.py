"""A segment that continues another: some frames more, in the fewest bytes (SPEC.md section 15).

It goes on where that segment ended, with its probabilities and what its tracks know, so that one
frame costs no more than inside a long segment. It decodes with that one alone.
"""

from __future__ import annotations

import numpy as np

from facecodec.bitstream import limits
from facecodec.bitstream.coding import tracks
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.range_coder import Coder, RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.segment import (
    CONTROLS,
    PLACEMENT,
    Segment,
    SegmentState,
    leave,
    spent,
)
from facecodec.bitstream.coding.steps import from_levels, to_levels
from facecodec.bitstream.coding.timing import (
    code_flags,
    code_placed,
    code_step,
    code_timing,
    expected_step,
    frame_clock,
)
from facecodec.errors import StreamError


def pack_continued(
    header: StreamHeader, before: SegmentState, segment: Segment
) -> tuple[bytes, SegmentState]:
    """Return the body of a segment that continues the one that left `before`, and what it leaves.

    Its first frame comes at most MAX_BACK frames after the other's last.
    """
    state = before.copy()
    coder = RangeEncoder(())
    coder.fast, coder.slow = state.fast, state.slow
    pts = segment.pts.tolist()
    _code_times(header, coder, state, segment.first, len(pts), pts)
    code_flags(coder, len(pts), segment.flags.tolist(), state.flags)
    code_placed(coder, len(pts), segment.placed.tolist(), state.placed)
    placement = to_levels(segment.placement[segment.placed], header.placement_steps)
    tracks.code_track(coder, PLACEMENT, 4, len(placement), placement, state.placement)
    levels = to_levels(segment.controls, header.control_steps)
    tracks.code_track(coder, CONTROLS, header.num_controls, len(pts), levels, state.controls)
    return coder.finish(), leave(state, segment)


def parse_continued(
    header: StreamHeader, before: SegmentState, first: int, frames: int, body: bytes
) -> tuple[Segment, SegmentState]:
    """Decode the body of a segment of `frames` frames from number `first` on.

    before: what the segment left that it continues; it stays as it is. Returns the segment and
    what it leaves. Raises StreamError where it breaks the format.
    """
    state = before.copy()
    coder = RangeDecoder(body, ())
    coder.fast, coder.slow = state.fast, state.slow
    pts = _code_times(header, coder, state, first, frames, None)
    flags = code_flags(coder, frames, None, state.flags)
    placed = np.array(code_placed(coder, frames, None, state.placed), bool)
    timing_end = spent(coder, body)
    levels = tracks.code_track(coder, PLACEMENT, 4, int(placed.sum()), None, state.placement)
    placement = np.zeros((frames, 4), np.float32)
    placement[placed] = from_levels(levels, header.placement_steps)
    placement_end = spent(coder, body)
    width = header.num_controls
    levels = tracks.code_track(coder, CONTROLS, width, frames, None, state.controls)
    if coder.position < len(body):
        raise StreamError(f"segment: {len(body) - coder.position} bytes after its last frame")
    parts = {
        "container": timing_end,
        "placement": placement_end - timing_end,
        "controls": len(body) - placement_end,
    }
    segment = Segment(
        first,
        np.array(pts, np.int64),
        np.array(flags, np.uint8),
        from_levels(levels, header.control_steps),
        placement,
        placed,
        parts,
    )
    return segment, leave(state, segment)


def _code_times(
    header: StreamHeader,
    coder: Coder,
    state: SegmentState,
    first: int,
    frames: int,
    pts: list[int] | None,
) -> list[int]:
    """Code the timestamps from frame `first` on; return them, and put the last step into `state`.

    The first one is coded as its distance to the last of the segment that is continued.
    """
    clock, back = frame_clock(header), first - state.index
    expected = expected_step(clock, first, state.step, back)
    given = pts[0] - state.pts if pts else expected
    distance = code_step(coder, expected, state.step * back, given)
    start = state.pts + distance
    if start > limits.MAX_PTS:
        raise StreamError("timestamps that do not rise")
    step = max(distance // back, 1)
    times, state.step = code_timing(coder, clock, first, frames, pts, start, step)
    return times
