"""Reads a `.fcv` stream from any file object; goes on after damage and says what was lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.audio import AudioPacket
from facecodec.bitstream.coding.header import parse_header
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.body import BodyDecoder, PacketParser
from facecodec.bitstream.container.chunk_reader import ChunkReader
from facecodec.bitstream.container.chunks import Chunk, Damage
from facecodec.bitstream.container.frames import FrameRecord, within
from facecodec.bitstream.container.identity_file import IdentityFile
from facecodec.bitstream.container.index import (
    GroupScan,
    Index,
    IndexEntry,
    end_damage,
    is_group_of,
    stored_index,
)
from facecodec.bitstream.container.preamble import Preamble
from facecodec.bitstream.container.rates import RateSplit, split_rates
from facecodec.errors import StreamError, UsageError

_BODY = (chunks.SEGMENT, chunks.AUDIO, chunks.END)


class StreamReader:
    """Reads the header at once, frames and audio on iteration.

    A file that can seek may be iterated any number of times; a pipe once, and gives each frame as
    soon as its segment has come. `damage` fills while reading. Raises StreamError for a file that
    is not a stream, whose header is damaged, that breaks a promised limit, or that needs a
    critical chunk this reader does not know.

    file: opened for reading in binary, at the first byte of the stream. name: what error messages
    call it.
    """

    def __init__(self, file: BinaryIO, name: str = "") -> None:
        self.name = name or str(getattr(file, "name", "stream"))
        self._file = file
        self._base = file.tell() if file.seekable() else None
        self.damage: list[Damage] = []
        self._reported: set[Damage] = set()
        self._index: Index | None = None
        self._consumed = False
        self._chunks = ChunkReader(file, base=self._base)
        self._head = self._chunks.header(chunks.STREAM_MAGIC, self.name)
        self.header = parse_header(self._head.payload)
        self._seed = self._chunks.seed
        self._first: Chunk | None = None  # of the body
        self._lost_before = 0  # bytes lost before it
        self._preamble = self._read_preamble()
        self.identity_payload = self._preamble.identity_payload
        self.identity_reference = self._preamble.identity_reference
        self.audio, self.tuning = self._preamble.audio, self._preamble.tuning

    def _read_preamble(self) -> Preamble:
        """Read up to the first chunk of the body."""
        preamble = Preamble(self.name)
        for chunk in self._chunks:
            if isinstance(chunk, Damage):
                self._report(chunk)
                self._lost_before += chunk.size
            elif chunk.type in _BODY:
                self._first = chunk
                break
            elif not preamble.add(chunk):
                self._refuse(chunk)
        for what in preamble.missing(self.header):
            self._report(Damage(self._body_start(), 0, what))
        return preamble

    def _body_start(self) -> int:
        """Return where the first chunk of the body begins."""
        return self._first.offset if self._first else self._chunks.offset

    def _refuse(self, chunk: Chunk) -> None:
        """Refuse a critical chunk that is unknown or out of place; pass over an ancillary one."""
        if chunk.critical:
            kind = chunk.name
            known = "out of place" if chunk.type in chunks.LIMITS else "unknown to this program"
            raise StreamError(f"{self.name}: critical chunk {kind} at {chunk.offset} is {known}")

    def _report(self, damage: Damage | None) -> None:
        if damage is not None and damage not in self._reported:
            self._reported.add(damage)
            self.damage.append(damage)

    def identity(
        self, w_mean: NDArray[np.float32], identity_file: IdentityFile | None = None
    ) -> NDArray[np.float32]:
        """Return the identity latent, float32 [num_ws, w_dim].

        w_mean: float32 [w_dim], the generator's mean of W. identity_file: the `.fci` file, needed
        when the stream only references its identity. Raises StreamError where the identity is
        missing or breaks the format, and for a `.fci` file whose SHA-256 is not the one referenced.
        """
        return self._preamble.identity(self.header, w_mean, identity_file)

    def person_tuning(self, identity_file: IdentityFile | None = None) -> bytes | None:
        """Return the tuning: the stream's own, else that of the `.fci` file it refers to."""
        if self.tuning is None and self.identity_reference is not None and identity_file:
            return identity_file.tuning
        return self.tuning

    def offset_of(self, kind: bytes) -> int:
        """Return where the first chunk of a type begins in the preamble."""
        return self._preamble.offsets[kind]

    def close(self) -> None:
        """Close the file; a reader may also be opened with `with`."""
        self._file.close()

    def __enter__(self) -> StreamReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def seekable(self) -> bool:
        """Whether the stream can be read more than once, and has an index."""
        return self._base is not None

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
        parser = PacketParser(self._report)
        for chunk in self.walk():
            if isinstance(chunk, Chunk) and chunk.type == chunks.AUDIO:
                for packet in parser.parse(chunk):
                    if within(packet.pts * self.audio.time_base, start, end):
                        yield packet

    def items(
        self, start: Fraction | None = None, end: Fraction | None = None, audio: bool = True
    ) -> Iterator[FrameRecord | AudioPacket]:
        """Yield frames and, unless told otherwise, audio packets, in the order of the file.

        This is the way to read both from a pipe. In a file that can seek, `start` is located
        through the index; audio packets are then those written near the frames asked for.
        Raises StreamError where frames are missing that no lost bytes explain.
        """
        base = self.header.time_base
        entry = self._entry(start) if start is not None and self.seekable else None
        # From the middle the number of the first packet is not known.
        parser = PacketParser(self._report, None if entry and entry.first else 0)
        decoder = BodyDecoder(
            self.header,
            self.name,
            self._report,
            parser if audio and self.audio else None,
            entry.first if entry else 0,
            0 if entry else self._lost_before,
        )
        for item in decoder.decode(self.walk(entry)):
            if isinstance(item, AudioPacket):
                if self.audio and within(item.pts * self.audio.time_base, start, end):
                    yield item
            elif end is not None and item.pts * base >= end:
                return
            elif start is None or item.pts * base >= start:
                yield item

    def _entry(self, start: Fraction) -> IndexEntry | None:
        """Return the index entry to begin at for a time, None to begin with the whole body.

        Falls back on a scan where the stored index is not that of the file: bytes lost or put in
        after the stream was written move what the end chunk points at.
        """
        pts = -(-start // self.header.time_base)
        entry = self.index().find(pts)
        if entry is not None and not is_group_of(self.header, entry, self._chunks_from(entry)):
            self._index = self.scanned_index()
            entry = self._index.find(pts)
        return entry

    def _chunks_from(self, entry: IndexEntry | None) -> ChunkReader:
        """Return a reader of the chunks from an entry on, or from the beginning of the body."""
        offset = entry.offset if entry else self._body_start()
        return ChunkReader(self._file, offset, self._seed, self._base)

    def walk(self, entry: IndexEntry | None = None) -> Iterator[Chunk | Damage]:
        """Yield the chunks from the first frame or audio on (or from an index entry), and damage.

        Everything that can be said without decoding is added to `damage`: bytes that are no
        chunk, a missing end, an index that is not that of the chunks. The end chunk is the last
        one yielded. Raises UsageError for a pipe that was read before.
        """
        if self.seekable:
            reader = self._chunks_from(entry)
            source: Iterator[Chunk | Damage] = iter(reader)
        else:
            if self._consumed:
                raise UsageError(f"{self.name}: a pipe can be read only once")
            reader = self._chunks
            first = [] if self._first is None else [self._first]
            source = itertools.chain(first, reader)
        self._consumed = True
        groups = GroupScan(self.header, self._body_start())
        for chunk in source:
            if isinstance(chunk, Damage):
                self._report(chunk)
            elif chunk.type not in _BODY:
                self._refuse(chunk)
            elif chunk.type == chunks.AUDIO and self.audio is None:
                missing = "the audio's parameters are missing"
                self._report(Damage(self._body_start(), 0, missing))
            elif chunk.type == chunks.END:
                known = None if entry or self.damage else groups
                self._report(end_damage(self.header, chunk, known))
            groups.add(chunk)
            yield chunk
            if isinstance(chunk, Chunk) and chunk.type == chunks.END:
                self._report(self._after_end(reader))
                return
        self._report(Damage(reader.offset, 0, "the stream ends without its end chunk"))

    def _after_end(self, reader: ChunkReader) -> Damage | None:
        """Return the bytes after the end chunk that `reader` has just passed, None for none."""
        size = reader.bytes_left()
        return Damage(reader.offset, size, "data after the end of the stream") if size else None

    def index(self) -> Index:
        """Return the index of the segments: from the end chunk, or by a scan where it is missing.

        The stored index is taken at its word: see `verify`. Raises UsageError for a pipe.
        """
        if self._base is None:
            raise UsageError(f"{self.name}: a pipe has no index")
        if self._index is None:
            stored = stored_index(self._file, self._base, self.header, self._seed)
            self._index = stored or self.scanned_index()
        return self._index

    def scanned_index(self) -> Index:
        """Return the index as a scan of the whole file gives it. Needs a file that can seek."""
        groups = GroupScan(self.header, self._body_start())
        for chunk in self.walk():
            groups.add(chunk)
        return groups.index

    def size(self) -> int:
        """Return the bytes of the file from the beginning of the stream.

        Raises UsageError for a pipe.
        """
        if self._base is None:
            raise UsageError(f"{self.name}: a pipe has no size")
        return self._file.seek(0, 2) - self._base

    def rate_split(self) -> RateSplit:
        """Return where the bytes of the file go. Decodes every frame; UsageError for a pipe."""
        return split_rates(self.header, self.all_chunks())

    def all_chunks(self) -> Iterator[Chunk | Damage]:
        """Yield the chunks of the file from the header's to the end chunk, and what is no chunk.

        Damage is added to `damage` too; bytes after the end chunk are one. Raises UsageError for
        a pipe.
        """
        if not self.seekable:
            raise UsageError(f"{self.name}: a pipe can be read only once")
        yield self._head
        reader = ChunkReader(self._file, self._head.size, self._seed, self._base)
        for chunk in reader:
            if isinstance(chunk, Damage):
                self._report(chunk)
            yield chunk
            if isinstance(chunk, Chunk) and chunk.type == chunks.END:
                if (after := self._after_end(reader)) is not None:
                    self._report(after)
                    yield after
                return
        self._report(Damage(reader.offset, 0, "the stream ends without its end chunk"))
