"""The end chunk: how many frames there were, and where each segment lies (SPEC.md section 10)."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from facecodec.bitstream import chunks, limits
from facecodec.bitstream.fields import FieldReader, FieldWriter


@dataclass(frozen=True)
class IndexEntry:
    """One segment: where to start reading for it, its first frame and pts, its number of frames."""

    offset: int
    first: int
    frames: int
    pts: int


@dataclass
class Index:
    """All segments in order, and the number of frames of the stream."""

    frames: int = 0
    entries: list[IndexEntry] = field(default_factory=list)

    def add(self, entry: IndexEntry) -> None:
        """Append the next segment."""
        self.entries.append(entry)
        self.frames = max(self.frames, entry.first + entry.frames)

    def find(self, pts: int) -> IndexEntry | None:
        """Return the last segment that starts at or before `pts`, or the first one."""
        if not self.entries:
            return None
        place = bisect.bisect_right(self.entries, pts, key=lambda entry: entry.pts)
        return self.entries[max(place - 1, 0)]

    def pack(self) -> bytes:
        """Return the payload of the end chunk; its last four bytes are the size of the chunk.

        Offsets are stored as differences, timestamps as differences of differences.
        """
        out = FieldWriter().varint(self.frames).varint(len(self.entries))
        offset = frame = pts = step = 0
        for entry in self.entries:
            out.varint(entry.offset - offset).varint(entry.first - frame).varint(entry.frames)
            out.signed(entry.pts - pts - step)
            step = entry.pts - pts
            offset, frame, pts = entry.offset, entry.first + entry.frames, entry.pts
        out.integer(len(out.data) + 4 + chunks.OVERHEAD, 4)
        return bytes(out.data)


def parse_index(payload: bytes) -> Index:
    """Read the payload of an end chunk."""
    fields = FieldReader(payload, "end chunk")
    frames = fields.varint(0, limits.MAX_PTS, "number of frames")
    index = Index(frames)
    offset = frame = pts = step = 0
    # An entry takes at least four bytes.
    for _ in range(fields.varint(0, len(payload) // 4, "number of segments")):
        offset += fields.varint(0, limits.MAX_PTS, "offset")
        frame += fields.varint(0, limits.MAX_PTS, "first frame")
        count = fields.varint(1, limits.MAX_SEGMENT_FRAMES, "number of frames")
        step += fields.signed(limits.MAX_PTS, "timestamp")
        pts += step
        index.entries.append(IndexEntry(offset, frame, count, pts))
        frame += count
    if frame > frames:
        raise fields.fail("its segments hold more frames than the stream")
    fields.integer(4, len(payload) + chunks.OVERHEAD, len(payload) + chunks.OVERHEAD, "its size")
    fields.end()
    return index
