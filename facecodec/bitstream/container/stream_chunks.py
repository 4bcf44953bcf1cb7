"""The chunks of a `.fcv` stream in their order, and what is wrong with them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import BinaryIO

from facecodec.bitstream import limits
from facecodec.bitstream.audio import AudioParameters
from facecodec.bitstream.coding.header import StreamHeader, parse_header
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunk_reader import ChunkReader
from facecodec.bitstream.container.chunks import Chunk, Damage
from facecodec.bitstream.container.context import parse_plate
from facecodec.bitstream.container.continued import Chain
from facecodec.bitstream.container.index import GroupScan, IndexEntry, end_damage
from facecodec.bitstream.container.preamble import Preamble
from facecodec.bitstream.context import ContextPlate
from facecodec.errors import StreamError, UsageError

_BODY = (chunks.SEGMENT, chunks.CONTINUED, chunks.AUDIO, chunks.END)


class StreamChunks:
    """Reads the header and the preamble at once, the chunks of the body on iteration.

    `damage` fills while reading. file, name, and what is raised: see `StreamReader`.
    """

    header: StreamHeader
    damage: list[Damage]

    def __init__(self, file: BinaryIO, name: str = "") -> None:
        """Read up to the first chunk of the body."""
        self.name = name or str(getattr(file, "name", "stream"))
        self._file = file
        self._base = file.tell() if file.seekable() else None
        self.damage = []
        self._reported: set[Damage] = set()
        self._consumed = False
        self._chunks = ChunkReader(file, base=self._base)
        self._head = self._chunks.header(chunks.STREAM_MAGIC, self.name)
        self.header = parse_header(self._head.payload)
        self._seed = self._chunks.seed
        self._chunks.chain = self._new_chain()
        self._first: Chunk | None = None  # of the body
        self._lost_before = 0  # bytes lost before it
        self._preamble = self._read_preamble()

    def _read_preamble(self) -> Preamble:
        """Read up to the first chunk of the body."""
        preamble = Preamble(self.name, late=self.header.version == limits.LIVE_VERSION)
        for chunk in self._chunks:
            if isinstance(chunk, Damage):
                self._report(chunk)
                self._lost_before += chunk.size
            elif chunk.type in _BODY:
                self._first = chunk
                break
            elif not preamble.add(chunk):
                self._refuse(chunk)
        if not preamble.late:
            for what in preamble.missing(self.header):
                self._report(Damage(self._body_start(), 0, what))
        return preamble

    def _body_start(self) -> int:
        """Return where the first chunk of the body begins."""
        return self._first.offset if self._first else self._chunks.offset

    @property
    def identity_payload(self) -> bytes | None:
        """Return the payload of the identity chunk, None where none has come."""
        return self._preamble.identity_payload

    @property
    def identity_reference(self) -> bytes | None:
        """Return the SHA-256 of the `.fci` file that holds the identity, None without."""
        return self._preamble.identity_reference

    @property
    def audio(self) -> AudioParameters | None:
        """Return the parameters of the audio, None without."""
        return self._preamble.audio

    @property
    def tuning(self) -> bytes | None:
        """Return the stream's own tuning, None where it has none or not all of it."""
        return self._preamble.tuning

    @property
    def context_plate(self) -> ContextPlate | None:
        """Return the plate of the context, None without a good one."""
        chunk = self._preamble.context.get(chunks.CONTEXT_PLATE)
        try:
            return None if chunk is None else parse_plate(chunk.payload)
        except StreamError as error:
            self._report(Damage(chunk.offset, chunk.size, str(error)) if chunk else None)
            return None

    def _take_late(self, chunk: Chunk) -> bool:
        """Take in what a stream of version 2 sends again or late; False for what is not that."""
        if not self._preamble.late or chunk.type not in chunks.LATE_TYPES:
            return False
        try:
            return self._preamble.add(chunk)
        except StreamError as error:
            self._report(Damage(chunk.offset, chunk.size, str(error)))
            return True

    def _report_missing(self, offset: int) -> None:
        """Report what has not come up to the end of a stream of version 2, which lies there."""
        if self._preamble.late:
            for what in self._preamble.missing(self.header):
                self._report(Damage(offset, 0, what))

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

    @property
    def seekable(self) -> bool:
        """Whether the stream can be read more than once, and has an index."""
        return self._base is not None

    def _chunks_from(self, entry: IndexEntry | None) -> ChunkReader:
        """Return a reader of the chunks from an entry on, or from the beginning of the body."""
        offset = entry.offset if entry else self._body_start()
        return ChunkReader(self._file, offset, self._seed, self._base, self._new_chain())

    def _new_chain(self) -> Chain | None:
        """Return the chain of segments of a stream of version 2."""
        return Chain(self.header) if self.header.version == limits.LIVE_VERSION else None

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
            elif chunk.type not in (*_BODY, chunks.CONTEXT) and not self._take_late(chunk):
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
                self._report_missing(chunk.offset)
                self._report(self._after_end(reader))
                return
        self._report_missing(reader.offset)
        self._report(Damage(reader.offset, 0, "the stream ends without its end chunk"))

    def _after_end(self, reader: ChunkReader) -> Damage | None:
        """Return the bytes after the end chunk that `reader` has just passed, None for none."""
        size = reader.bytes_left()
        return Damage(reader.offset, size, "data after the end of the stream") if size else None

    def size(self) -> int:
        """Return the bytes of the file from the beginning of the stream.

        Raises UsageError for a pipe.
        """
        if self._base is None:
            raise UsageError(f"{self.name}: a pipe has no size")
        return self._file.seek(0, 2) - self._base

    def all_chunks(self) -> Iterator[Chunk | Damage]:
        """Yield the chunks of the file from the header's to the end chunk, and what is no chunk.

        Damage is added to `damage` too; bytes after the end chunk are one. Raises UsageError for
        a pipe.
        """
        if not self.seekable:
            raise UsageError(f"{self.name}: a pipe can be read only once")
        yield self._head
        reader = ChunkReader(self._file, self._head.size, self._seed, self._base, self._new_chain())
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
