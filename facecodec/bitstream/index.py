"""The end chunk: how many frames there were, and where each segment lies (SPEC.md section 10)."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from facecodec.bitstream import chunks, limits
from facecodec.bitstream.chunks import Chunk, Damage
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.bitstream.segment import segment_start
from facecodec.errors import StreamError


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
        if max(offset, frame, abs(pts), abs(step)) > limits.MAX_PTS:
            raise fields.fail("an entry out of range")
        index.entries.append(IndexEntry(offset, frame, count, pts))
        frame += count
    if frame > frames:
        raise fields.fail("its segments hold more frames than the stream")
    fields.integer(4, len(payload) + chunks.OVERHEAD, len(payload) + chunks.OVERHEAD, "its size")
    fields.end()
    return index


def stored_index(file: BinaryIO, base: int, seed: int) -> Index | None:
    """Return the index at the end of a file that can seek, or None where there is no whole one.

    base: where the stream begins in the file. seed: what its CRCs start from.
    """
    size = file.seek(0, 2) - base
    file.seek(base + max(size - 8, 0))
    length = int.from_bytes(file.read(4), "little")
    if not chunks.OVERHEAD < length <= min(size, limits.MAX_CHUNK + chunks.OVERHEAD):
        return None
    file.seek(base + size - length)
    chunk = chunks.ChunkReader(file, size - length, seed).first()
    if chunk is None or chunk.type != chunks.END:
        return None
    try:
        return parse_index(chunk.payload)
    except StreamError:
        return None


def scan_index(body: Iterable[Chunk | Damage], start: int) -> Index:
    """Return the index that the chunks of a body make; `start` is where the body begins."""
    index = Index()
    group = start
    for chunk in body:
        if isinstance(chunk, Chunk) and chunk.type == chunks.SEGMENT:
            with contextlib.suppress(StreamError):
                first, frames, pts = segment_start(chunk.payload)
                if first >= index.frames:
                    index.add(IndexEntry(group, first, frames, pts))
            group = chunk.offset + chunk.size
    return index
