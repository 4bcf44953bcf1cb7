"""The end chunk: how many frames there were, and where each segment lies (SPEC.md section 10)."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import BinaryIO

from facecodec.bitstream import limits
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.segment import segment_start, take_frames
from facecodec.bitstream.coding.timing import expected_pts, frame_clock, usual_frames
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunk_reader import ChunkReader
from facecodec.bitstream.container.chunks import Chunk, Damage
from facecodec.bitstream.container.continued import ContinuedChunk
from facecodec.bitstream.fields import FieldReader, FieldWriter, varint_size
from facecodec.errors import StreamError

_MAX_SIZE_BYTES = 4  # bytes of the size at the end of an end chunk, at most


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One segment: where to start reading for it, its first frame and pts, its number of frames."""

    offset: int
    first: int
    frames: int
    pts: int


@dataclass
class Index:
    """All groups in order, and the number of frames of the stream.

    A group is a segment that stands alone, what continues it, and the audio before and between.
    packets: of audio, as an end chunk of version 2 counts them; None where that is not said.
    """

    frames: int = 0
    entries: list[IndexEntry] = field(default_factory=list)
    packets: int | None = field(default=None, compare=False)

    def add(self, entry: IndexEntry) -> None:
        """Append the next segment."""
        self.entries.append(entry)
        self.frames = max(self.frames, entry.first + entry.frames)

    def extend(self, first: int, frames: int) -> None:
        """Add frames to the last group, whose next frame is number `first`."""
        if self.entries and first == self.frames:
            last = self.entries[-1]
            self.entries[-1] = replace(last, frames=last.frames + frames)
            self.frames += frames

    def find(self, pts: int) -> IndexEntry | None:
        """Return the last segment that starts at or before `pts`, None if there is none."""
        place = bisect.bisect_right(self.entries, pts, key=lambda entry: entry.pts)
        return self.entries[place - 1] if place else None

    def pack(self, header: StreamHeader, end: int) -> bytes:
        """Return the payload of the end chunk, which begins at byte `end` of the stream.

        An entry is the size of a group, and frames and timestamp only where they are not as
        predicted. The last field is the size of the chunk, readable from behind.
        """
        out = FieldWriter()
        clock = frame_clock(header)
        before: IndexEntry | None = None
        ahead = 0
        usual = frames = usual_frames(header)
        ends = [entry.offset for entry in self.entries[1:]] + [end]
        for entry, stop in zip(self.entries, ends, strict=True):
            pts = _predicted_pts(clock, before, ahead, entry.first)
            as_predicted = (entry.frames, entry.pts) == (frames, pts)
            out.varint(2 * (stop - entry.offset) + (not as_predicted))
            if not as_predicted:
                out.signed(entry.frames - usual).signed(entry.pts - pts)
            ahead = entry.pts - before.pts if before else 0
            before, frames = entry, entry.frames
        size = Chunk(0, chunks.END, bytes(out.data)).size + 1
        while True:  # the size counts its own bytes, which may lengthen the chunk's length too
            digits = FieldWriter().varint(size).data
            real = Chunk(0, chunks.END, bytes(out.data + digits)).size
            if real == size:
                return bytes(out.data + digits[::-1])
            size = real


def _predicted_pts(
    clock: Fraction | None, before: IndexEntry | None, ahead: int, first: int
) -> int:
    """Return the timestamp predicted for a segment, `ahead` being the last distance between two.

    With a frame rate: as far from its clock as the segment before; without: `ahead` again.
    """
    if before is None:
        return expected_pts(clock, first)
    if clock is None:
        return before.pts + ahead
    return before.pts + expected_pts(clock, first) - expected_pts(clock, before.first)


def parse_index(header: StreamHeader, chunk: Chunk) -> Index:
    """Read an end chunk; the offsets are from its own, so that bytes lost earlier do no harm.

    One of version 2 counts frames and packets, and has no entries.
    Raises StreamError where its entries or its size do not fit.
    """
    fields = FieldReader(chunk.payload, "end chunk")
    if header.version == limits.LIVE_VERSION:
        frames = fields.varint(0, limits.MAX_PTS, "number of frames")
        counted = Index(frames, packets=fields.varint(0, limits.MAX_PTS, "number of packets"))
        fields.end()
        return counted
    clock = frame_clock(header)
    digits = varint_size(chunk.size)
    tail = FieldWriter().varint(chunk.size).data[::-1]
    if len(chunk.payload) < digits or chunk.payload[-digits:] != tail:
        raise fields.fail("its size is not what it says")
    rows: list[tuple[int, int, int, int]] = []
    index = Index()
    before: IndexEntry | None = None
    ahead = first = held = 0
    usual = frames = usual_frames(header)
    while fields.position < len(chunk.payload) - digits:
        size = fields.varint(2 * limits.SMALLEST_SEGMENT, 2 * limits.MAX_PTS, "size of a group")
        held += size >> 1
        if held > chunk.offset:
            raise fields.fail("its segments are larger than the stream")
        pts = _predicted_pts(clock, before, ahead, first)
        if size & 1:
            frames = take_frames(fields, usual)
            pts += fields.signed(2 * limits.MAX_PTS, "timestamp")
        if max(first + frames, abs(pts)) > limits.MAX_PTS:
            raise fields.fail("an entry out of range")
        rows.append((size >> 1, first, frames, pts))
        ahead = pts - before.pts if before else 0
        before = IndexEntry(0, first, frames, pts)
        first += frames
    if fields.position != len(chunk.payload) - digits:
        raise fields.fail("ends before its fields do")
    offset = chunk.offset - held
    for size, *entry in rows:
        index.add(IndexEntry(offset, *entry))
        offset += size
    return index


def stored_index(file: BinaryIO, base: int, header: StreamHeader, seed: int) -> Index | None:
    """Return the index at the end of a file that can seek, or None where there is no whole one.

    Version 2 has none.
    base: where the stream begins in the file. seed: what its CRCs start from.
    """
    if header.version == limits.LIVE_VERSION:
        return None
    size = file.seek(0, 2) - base
    file.seek(base + max(size - chunks.CRC_BYTES - _MAX_SIZE_BYTES, 0))
    length = 0
    for place, byte in enumerate(reversed(file.read(_MAX_SIZE_BYTES))):
        length |= (byte & 127) << 7 * place
        if byte < 128:
            break
    if not length <= min(size, limits.MAX_INDEX + 16):
        return None
    chunk = ChunkReader(file, size - length, seed, base).first()
    if chunk is None or chunk.type != chunks.END:
        return None
    try:
        return parse_index(header, chunk)
    except StreamError:
        return None


class GroupScan:
    """Makes an index out of the chunks of a body, as they come.

    start: where the body begins. comparable: whether a whole stream's end chunk must say the
    same: an ancillary chunk that an editor put into the body moves what the index points at.
    """

    def __init__(self, header: StreamHeader, start: int) -> None:
        self.index = Index()
        self.comparable = True
        self._header = header
        self._group = start

    def add(self, chunk: Chunk | Damage) -> None:
        """Take in the next chunk; damage and a segment that breaks the format are passed over."""
        if isinstance(chunk, Damage):
            return
        if chunk.type == chunks.SEGMENT:
            with contextlib.suppress(StreamError):
                first, frames, pts = segment_start(self._header, chunk.payload)
                if first >= self.index.frames:
                    self.index.add(IndexEntry(self._group, first, frames, pts))
            self._group = chunk.offset + chunk.size
        elif isinstance(chunk, ContinuedChunk):
            self.index.extend(chunk.first, chunk.frames)
            self._group = chunk.offset + chunk.size
        elif chunk.type not in chunks.LIMITS:
            self.comparable = False


def is_group_of(header: StreamHeader, entry: IndexEntry, body: Iterable[Chunk | Damage]) -> bool:
    """Return whether `body`, read from an entry's offset on, begins with the entry's group."""
    for chunk in body:
        if isinstance(chunk, Damage):
            return False
        if chunk.type == chunks.SEGMENT:
            with contextlib.suppress(StreamError):
                first, frames, pts = segment_start(header, chunk.payload)
                whole = header.version == limits.VERSION  # else others may continue it
                known = frames == entry.frames if whole else frames <= entry.frames
                return known and (first, pts) == (entry.first, entry.pts)
        late = chunks.LATE_TYPES if header.version == limits.LIVE_VERSION else ()
        if chunk.type not in (chunks.AUDIO, chunks.CONTEXT, *late):
            return False
    return False


def end_damage(header: StreamHeader, chunk: Chunk, groups: GroupScan | None) -> Damage | None:
    """Return what is wrong with an end chunk: it breaks the format, or is not that of `groups`."""
    try:
        stored = parse_index(header, chunk)
    except StreamError as error:
        return Damage(chunk.offset, chunk.size, str(error))
    indexed = header.version == limits.VERSION
    if indexed and groups and groups.comparable and stored != groups.index:
        return Damage(chunk.offset, chunk.size, "the index is not that of the file")
    return None
