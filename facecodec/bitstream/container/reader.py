"""Reads a `.fcv` stream from any file object; goes on after damage and says what was lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding.header import StreamHeader, parse_header
from facecodec.bitstream.coding.segment import Segment, parse_segment
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.audio import AudioPacket, AudioParameters, parse_packets
from facecodec.bitstream.container.chunks import Chunk, ChunkReader, Damage
from facecodec.bitstream.container.frames import FrameRecord, fill_gap, segment_records
from facecodec.bitstream.container.identity_file import IdentityFile
from facecodec.bitstream.container.index import (
    Index,
    IndexEntry,
    parse_index,
    scan_index,
    stored_index,
)
from facecodec.bitstream.container.preamble import Preamble
from facecodec.bitstream.container.rates import RateSplit, split_rates
from facecodec.errors import StreamError, UsageError


class StreamReader:
    """Reads the header at once, frames and audio on iteration.

    A file that can seek may be iterated any number of times; a pipe once. `damage` fills while
    reading. Raises StreamError for a file that is not a stream, whose header is damaged, that
    breaks a promised limit, or that needs a critical chunk this reader does not know.

    name: what error messages call the file.
    """

    header: StreamHeader
    identity_payload: bytes | None
    identity_reference: bytes | None
    audio: AudioParameters | None
    tuning: bytes | None
    damage: list[Damage]

    def __init__(self, file: BinaryIO, name: str = "") -> None:
        self.name = name or str(getattr(file, "name", "stream"))
        self._file = file
        self._seekable = file.seekable()
        self._base = file.tell() if self._seekable else 0
        self.damage = []
        self._index: Index | None = None
        self._consumed = False
        self._chunks = ChunkReader(file)
        self._head = self._chunks.header(chunks.STREAM_MAGIC, self.name)
        self.header = parse_header(self._head.payload)
        self._seed = self._chunks.seed
        self._first: Chunk | Damage | None = None
        self._preamble = self._read_preamble()
        self.identity_payload = self._preamble.identity_payload
        self.identity_reference = self._preamble.identity_reference
        self.audio, self.tuning = self._preamble.audio, self._preamble.tuning

    def _read_preamble(self) -> Preamble:
        """Read up to the first chunk of frames or audio."""
        preamble = Preamble(self.name)
        for chunk in self._chunks:
            if isinstance(chunk, Damage):
                self._report(chunk)
            elif chunk.type in (chunks.SEGMENT, chunks.AUDIO, chunks.END):
                self._first = chunk
                break
            elif not preamble.add(chunk):
                self._refuse(chunk)
        for what in preamble.missing(self.header):
            self._report(Damage(self._chunks_start(), 0, what))
        return preamble

    def _refuse(self, chunk: Chunk) -> None:
        """Refuse a critical chunk that is unknown or out of place; pass over an ancillary one."""
        if chunk.critical:
            kind = chunk.name
            known = "out of place" if chunk.type in chunks.LIMITS else "unknown to this program"
            raise StreamError(f"{self.name}: critical chunk {kind} at {chunk.offset} is {known}")

    def _report(self, damage: Damage) -> None:
        if damage not in self.damage:
            self.damage.append(damage)

    def identity(
        self, w_mean: NDArray[np.float32], identity_file: IdentityFile | None = None
    ) -> NDArray[np.float32]:
        """Return the identity latent, float32 [num_ws, w_dim].

        w_mean: [w_dim], the generator's mean of W. identity_file: the `.fci` file, needed when the
        stream only references its identity; refused unless its SHA-256 is the one referenced.
        """
        return self._preamble.identity(self.header, w_mean, identity_file)

    def person_tuning(self, identity_file: IdentityFile | None = None) -> bytes | None:
        """Return the tuning: the stream's own, else that of the `.fci` file it refers to."""
        if self.tuning is None and self.identity_reference is not None and identity_file:
            return identity_file.tuning
        return self.tuning

    @property
    def seekable(self) -> bool:
        """Whether the stream can be read more than once, and has an index."""
        return self._seekable

    def __iter__(self) -> Iterator[FrameRecord]:
        return self.frames()

    def frames(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[FrameRecord]:
        """Yield the frames with start <= pts * time_base < end, in seconds."""
        for item in self.items(start, end, audio=False):
            if isinstance(item, FrameRecord):
                yield item

    def audio_packets(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[AudioPacket]:
        """Yield the audio packets with start <= pts * time_base < end, in seconds."""
        if self.audio is None:
            return
        expected: int | None = 0
        for chunk in self.walk():
            if isinstance(chunk, Chunk) and chunk.type == chunks.AUDIO:
                expected, packets = self._packets(chunk, expected)
                for packet in packets:
                    if _within(packet.pts * self.audio.time_base, start, end):
                        yield packet

    def items(
        self, start: Fraction | None = None, end: Fraction | None = None, audio: bool = True
    ) -> Iterator[FrameRecord | AudioPacket]:
        """Yield frames and, unless told otherwise, audio packets, in the order of the file.

        This is the way to read both from a pipe. In a file that can seek, `start` is found
        through the index; audio packets are then those written near the frames asked for.
        """
        entry: IndexEntry | None = None
        if start is not None and self._seekable:
            entry = self._entry(-(-start // self.header.time_base))
        for item in self._decode(self.walk(entry), entry.first if entry else 0, audio):
            base = self.header.time_base
            if isinstance(item, AudioPacket):
                if self.audio and _within(item.pts * self.audio.time_base, start, end):
                    yield item
            elif end is not None and item.pts * base >= end:
                return
            elif start is None or item.pts * base >= start:
                yield item

    def _entry(self, pts: int) -> IndexEntry | None:
        """Return the index entry to begin at for `pts`, from a scan where the stored one is off.

        Bytes lost or put in after the stream was written move what the end chunk points at.
        """
        entry = self.index().find(pts)
        if entry is not None:
            self._file.seek(self._base + entry.offset)
            if ChunkReader(self._file, entry.offset, self._seed).first() is None:
                self._index = self.scanned_index()
                entry = self._index.find(pts)
        return entry

    def walk(self, entry: IndexEntry | None = None) -> Iterator[Chunk | Damage]:
        """Yield the chunks from the first frame or audio on (or from an index entry), and damage.

        Damage and a missing end are added to `damage`; the end chunk is the last one yielded.
        """
        if self._seekable:
            offset = entry.offset if entry else self._chunks_start()
            self._file.seek(self._base + offset)
            source: Iterator[Chunk | Damage] = iter(ChunkReader(self._file, offset, self._seed))
        else:
            if self._consumed:
                raise UsageError(f"{self.name}: a pipe can be read only once")
            first = [] if self._first is None else [self._first]
            source = itertools.chain(first, self._chunks)
        self._consumed = True
        offset = 0
        for chunk in source:
            offset = chunk.offset + chunk.size
            if isinstance(chunk, Damage):
                self._report(chunk)
            elif chunk.type not in (chunks.SEGMENT, chunks.AUDIO, chunks.END):
                self._refuse(chunk)
            yield chunk
            if isinstance(chunk, Chunk) and chunk.type == chunks.END:
                after = next(source, None)
                if after is not None:
                    self._report(Damage(offset, after.size, "data after the end of the stream"))
                return
        self._report(Damage(offset, 0, "the stream ends without its end chunk"))

    def _chunks_start(self) -> int:
        return self._first.offset if self._first else self._chunks.offset

    def index(self) -> Index:
        """Return the index of the segments: from the end chunk, or by a scan where it is missing.

        Needs a file that can seek.
        """
        if not self._seekable:
            raise UsageError(f"{self.name}: a pipe has no index")
        if self._index is None:
            stored = stored_index(self._file, self._base, self.header, self._seed)
            self._index = stored or self.scanned_index()
        return self._index

    def scanned_index(self) -> Index:
        """Return the index as a scan of the whole file gives it. Needs a file that can seek."""
        return scan_index(self.header, self.walk(), self._chunks_start())

    def rate_split(self) -> RateSplit:
        """Return where the bytes of the file go. Needs a file that can seek."""
        return split_rates(self.header, self.all_chunks())

    def all_chunks(self) -> Iterator[Chunk | Damage]:
        """Yield every chunk of the file, the header's first, and the bytes that are none."""
        if not self._seekable:
            raise UsageError(f"{self.name}: a pipe can be read only once")
        yield self._head
        self._file.seek(self._base + self._head.size)
        yield from ChunkReader(self._file, self._head.size, self._seed)

    def _packets(self, chunk: Chunk, expected: int | None) -> tuple[int | None, list[AudioPacket]]:
        """Return the number of the packet after a chunk's, and its packets; none if it is damaged.

        expected: the number its first packet should have, None where that is not known.
        """
        if self.audio is None:
            self._report(Damage(self._chunks_start(), 0, "the audio's parameters are missing"))
            return expected, []
        try:
            first, packets = parse_packets(chunk.payload)
            if expected is not None and first < expected:
                raise StreamError("audio chunk: goes back in time")
        except StreamError as error:
            self._report(Damage(chunk.offset, chunk.size, str(error)))
            return expected, []
        if expected is not None and first > expected:
            missing = f"{first - expected} audio packets before it are missing"
            self._report(Damage(chunk.offset, 0, missing))
        return first + len(packets), packets

    def _decode(
        self, source: Iterator[Chunk | Damage], expected: int, audio: bool
    ) -> Iterator[FrameRecord | AudioPacket]:
        """Decode chunks in order; `expected` is the number of the next frame."""
        before: FrameRecord | None = None
        lost = 0
        step = 1
        heard = None if expected else 0  # audio packets so far, where that is known
        for chunk in source:
            if isinstance(chunk, Damage):
                lost += chunk.size
            elif chunk.type == chunks.AUDIO and audio:
                heard, packets = self._packets(chunk, heard)
                yield from packets
            elif chunk.type == chunks.SEGMENT:
                segment = self._segment(chunk, expected, before)
                if segment is None:
                    lost += chunk.size
                    continue
                records = segment_records(segment)
                if len(records) > 1:
                    step = records[-1].pts - records[-2].pts
                missing = segment.first - expected
                if missing:
                    self._allow_gap(missing, lost)
                    yield from fill_gap(before, records[0], missing, step)
                yield from records
                before, expected, lost = records[-1], segment.first + len(segment), 0
            elif chunk.type == chunks.END:
                missing = self._end(chunk) - expected
                if missing > 0:
                    self._allow_gap(missing, lost)
                    yield from fill_gap(before, None, missing, step)

    def _segment(self, chunk: Chunk, expected: int, before: FrameRecord | None) -> Segment | None:
        try:
            segment = parse_segment(self.header, chunk.payload)
            if segment.first < expected or (before and segment.pts[0] <= before.pts):
                raise StreamError("segment: goes back in time")
            return segment
        except StreamError as error:
            self._report(Damage(chunk.offset, chunk.size, str(error)))
            return None

    def _end(self, chunk: Chunk) -> int:
        """Return the number of frames an end chunk counts, 0 when it breaks the format."""
        try:
            return parse_index(self.header, chunk).frames
        except StreamError as error:
            self._report(Damage(chunk.offset, chunk.size, str(error)))
            return 0

    def _allow_gap(self, missing: int, lost: int) -> None:
        """Refuse a gap that the bytes lost cannot explain."""
        if not lost or missing > limits.MAX_SEGMENT_FRAMES * (lost // limits.SMALLEST_SEGMENT + 1):
            raise StreamError(f"{self.name}: {missing} frames are missing where nothing was lost")


def _within(time: Fraction, start: Fraction | None, end: Fraction | None) -> bool:
    return (start is None or time >= start) and (end is None or time < end)
