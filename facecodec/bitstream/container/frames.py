"""Frames one by one, and the frames that stand in for those damage took (SPEC.md section 11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding.segment import FrameFlags, Segment
from facecodec.bitstream.limits import MAX_PTS
from facecodec.errors import StreamError


@dataclass(frozen=True)
class FrameRecord:
    """One frame: controls float32 [num_controls], placement float32 [4] or None.

    recovered: the frame was lost to damage, and these values stand in for it.
    """

    index: int
    pts: int
    controls: NDArray[np.float32]
    placement: NDArray[np.float32] | None
    flags: FrameFlags
    recovered: bool = False


def segment_records(segment: Segment) -> list[FrameRecord]:
    """Return the frames of a segment one by one."""
    return [
        FrameRecord(
            segment.first + i,
            int(segment.pts[i]),
            segment.controls[i],
            segment.placement[i] if segment.placed[i] else None,
            FrameFlags(int(segment.flags[i])),
        )
        for i in range(len(segment))
    ]


def fill_gap(
    before: FrameRecord | None, after: FrameRecord | None, missing: int, step: int
) -> Iterator[FrameRecord]:
    """Yield `missing` frames that lie between two known ones.

    Between two frames everything is interpolated along a straight line, timestamps rounded down;
    where only one side is known its values are held, `step` apart in time. Flags are those of the
    nearer side, in the middle those of the later. None for a side that is not known; without any
    there is nothing to yield. Raises StreamError for timestamps out of range.
    """
    known = before or after
    if known is None:
        return
    first = before.index + 1 if before else known.index - missing
    for i in range(1, missing + 1):
        if before and after:
            pts = before.pts + (after.pts - before.pts) * i // (missing + 1)
            record = mixed(before, after, i / (missing + 1), pts)
        else:
            pts = known.pts + step * (i if before else i - 1 - missing)
            if abs(pts) > MAX_PTS:
                raise StreamError("lost frames whose timestamps would be out of range")
            record = replace(known, pts=pts)
        yield replace(record, index=first + i - 1, recovered=True)


def mixed(before: FrameRecord, after: FrameRecord, share: float, pts: int) -> FrameRecord:
    """Return what lies on a straight line from one frame to another, at `share` of the way.

    Flags, and a placement that only one has, are those of the nearer, in the middle of the later.
    """
    nearer = before if share < 0.5 else after
    placement = nearer.placement
    if before.placement is not None and after.placement is not None:
        placement = _mix(before.placement, after.placement, share)
    controls = _mix(before.controls, after.controls, share)
    return replace(nearer, pts=pts, controls=controls, placement=placement)


def _mix(
    before: NDArray[np.float32], after: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Return (1 - share) of one array and `share` of another of the same shape."""
    mixed = before.astype(np.float64) * (1 - share) + after.astype(np.float64) * share
    return mixed.astype(np.float32)


def within(time: Fraction, start: Fraction | None, end: Fraction | None) -> bool:
    """Return whether start <= time < end; None is no bound."""
    return (start is None or time >= start) and (end is None or time < end)
