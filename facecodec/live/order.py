"""Frames in their order, each once, and something in the place of those that do not come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from facecodec.bitstream import FrameRecord
from facecodec.bitstream.container.frames import fill_gap
from facecodec.bitstream.limits import MAX_GROUP_FRAMES

_MOST_FILLED = MAX_GROUP_FRAMES  # frames that are put in the place of lost ones at a time


@dataclass
class LinkCounts:
    """What has come, and what has not, since the decoder began.

    frames: given out as they were sent. recovered: given out in the place of lost ones. skipped:
    lost without anything in their place, after a gap of more than eight seconds of 30 frames.
    late: of frames that came after something had taken their place. repeated: segments that came
    again. unusable: datagrams, or places of a stream, that held what is no chunk of it.
    """

    frames: int = 0
    recovered: int = 0
    skipped: int = 0
    late: int = 0
    repeated: int = 0
    unusable: int = 0


class FrameOrder:
    """Gives frames out in order.

    depth: how many frames later than its own a frame may still come; something takes its place
    when one so much later has come. 0 on a link that keeps the order.
    """

    def __init__(self, depth: int, counts: LinkCounts) -> None:
        self.newest: int | None = None  # number of the last frame that has come
        self._depth = depth
        self._counts = counts
        self._next = 0
        self._came: dict[int, FrameRecord] = {}
        self._last: FrameRecord | None = None  # given out

    def add(self, records: Iterable[FrameRecord]) -> None:
        """Take in frames that have come."""
        for record in records:
            if self.newest is None:
                self._next = self.newest = record.index
            if record.index < self._next:
                self._counts.late += self._last is not None
                continue
            self.newest = max(self.newest, record.index)
            self._came[record.index] = record

    def release(self, end: bool = False) -> list[FrameRecord]:
        """Return the frames whose turn it is; with `end`, all that have come."""
        out: list[FrameRecord] = []
        while self._came:
            record = self._came.get(self._next)
            if record is None:
                waited = (self.newest or 0) - self._next
                if waited < self._depth and not end:
                    break
                record = self._came[min(self._came)]
            del self._came[record.index]
            missing = record.index - self._next
            if self._last is not None:
                apart = record.pts - self._last.pts
                if apart < record.index - self._last.index:  # no sender makes such times
                    self._counts.unusable += 1
                    continue
                if missing <= _MOST_FILLED:
                    out += fill_gap(self._last, record, missing, apart)
                    self._counts.recovered += missing
                else:
                    self._counts.skipped += missing
            out.append(record)
            self._counts.frames += 1
            self._last, self._next = record, record.index + 1
        return out
