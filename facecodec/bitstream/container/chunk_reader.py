"""Reads chunks off a file or a pipe, and searches for the next whole one after damage."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from facecodec.bitstream import limits
from facecodec.bitstream.container.chunks import (
    CRC_BYTES,
    LIMITS,
    PART,
    SEGMENT,
    STREAM_MAGIC,
    TYPE_BYTES,
    Chunk,
    Damage,
)
from facecodec.bitstream.container.continued import CHECK_BYTES, LONG, SHORT, Chain, read_head
from facecodec.errors import StreamError

_TYPES = [kind for kind in LIMITS if len(kind) == TYPE_BYTES and kind != PART]
_ANY_TYPE = re.compile(b"|".join(_TYPES))
_ANY_LATE_TYPE = re.compile(b"|".join([*_TYPES, PART, re.escape(STREAM_MAGIC)]))
_MAX_LENGTH_BYTES = 3  # bytes of the longest length
_MIN_READ_BYTES = 1 << 12  # bytes asked of the file at once
_MAX_READ_BYTES = 1 << 16


class ChunkReader:
    """Reads chunks off a file object, which need not be seekable.

    Holds no more than one chunk and one read ahead, and never waits for more bytes than the next
    chunk has. After bytes that are no chunk it looks for the next place where one begins, and
    yields the bytes between as Damage.

    offset: where to begin, in bytes from the start of the stream. seed: what CRCs start from.
    base: where the stream begins in a file that can seek, so that several readers may share it;
    None for a pipe. chain: of a stream of version 2, what its segments may continue.
    """

    def __init__(
        self,
        file: BinaryIO,
        offset: int = 0,
        seed: int = 0,
        base: int | None = None,
        chain: Chain | None = None,
    ) -> None:
        self.file = file
        self.offset = offset  # of buffer[0] in the stream
        self.seed = seed
        self.chain = chain
        # Whether bytes come as they are sent: headers of other streams are chunks too, and what is
        # whole already is not kept waiting by a damaged length before it.
        self.live = False
        self.buffer = bytearray()
        self._base = base
        # read1 gives what a pipe holds now, where read would wait for as much as was asked for.
        self._read = getattr(file, "read1", file.read)
        self._ended = False
        self._work = 0  # bytes checksummed in vain

    def header(self, magic: bytes, what: str) -> Chunk:
        """Take the header, of type `magic`; the CRCs of later chunks start from its own.

        Raises StreamError, calling the file `what`, when it begins otherwise or is damaged.
        """
        self._fill(len(magic))
        if not self.buffer.startswith(magic):
            kind = ".fcv stream" if magic == STREAM_MAGIC else ".fci identity file"
            raise StreamError(f"{what}: not a {kind}")
        chunk = self._chunk_at(0, magic)
        if chunk is None:
            raise StreamError(f"{what}: its header is damaged or cut off")
        self.seed = chunk.crc
        self._drop(chunk.size)
        return chunk

    def first(self) -> Chunk | None:
        """Take the chunk that begins right here, or return None: no search, no recovery."""
        chunk = self._next()
        if chunk is not None:
            self._drop(chunk.size)
        return chunk

    def bytes_left(self) -> int:
        """Return how many bytes follow; in a pipe, how many of them have come (0: it has ended)."""
        if self._base is None:
            self._fill(1)
            return len(self.buffer)
        return max(self.file.seek(0, 2) - self._base - self.offset, 0)

    def __iter__(self) -> Iterator[Chunk | Damage]:
        while (item := self.take()) is not None:
            yield item

    def take(self) -> Chunk | Damage | None:
        """Take the next chunk, or the bytes up to it that are none; None at the end.

        A file that has no more bytes yet may raise BlockingIOError in its `read`: the next call
        then goes on where this one stopped.
        """
        if not self._fill(1):
            return None
        if self.live:
            self._work = 0  # what a sender can make this do is bounded by what it sends
        try:
            chunk = self._next()
        except BlockingIOError:
            if self._whole_later() is None:
                raise
            chunk = None
        if chunk is None:
            return self._skip_damage()
        self._drop(chunk.size)
        return chunk

    def _next(self) -> Chunk | None:
        """Return the chunk that begins right here, None where none does."""
        if self.chain is None:
            return self._chunk_at(0)
        if self._fill(1) and (self.buffer[0] >= SHORT or self.buffer[0] == LONG):
            return self._continued(self.chain)
        chunk = self._known_at(0)
        if chunk is not None and chunk.type == SEGMENT:
            self.chain.key(chunk)
        return chunk

    def _known_at(self, start: int) -> Chunk | None:
        """Return the chunk that begins there, which in version 2 may be the header again."""
        if self.chain is None or not self._fill(start + 1) or self.buffer[start] != STREAM_MAGIC[0]:
            return self._chunk_at(start)
        chunk = self._chunk_at(start, STREAM_MAGIC)
        if chunk is not None and (self.live or chunk.crc == self.seed):
            return chunk
        return None

    def _continued(self, chain: Chain) -> Chunk | None:
        """Return the chunk of a segment that continues another, None where none begins here."""
        head = read_head(lambda at: self.buffer[at] if self._fill(at + 1) else None)
        if (
            head is None
            or head.size is None
            or not self._fill(head.taken + head.size + CHECK_BYTES)
        ):
            return None
        end = head.taken + head.size
        body, check = self.buffer[head.taken : end], self.buffer[end : end + CHECK_BYTES]
        first = chain.next
        if first is not None and head.number not in (None, first % head.numbers):
            first = None
        return chain.chunk(head, first, bytes(body), bytes(check), self.offset)

    def _fill(self, size: int) -> bool:
        """Read until the buffer holds `size` bytes; False when the file ends first."""
        while len(self.buffer) < size and not self._ended:
            if self._base is not None:
                self.file.seek(self._base + self.offset + len(self.buffer))
            wanted = max(size - len(self.buffer), _MIN_READ_BYTES)
            data = self._read(min(wanted, _MAX_READ_BYTES)) or b""
            self._ended = not data
            self.buffer += data
        return len(self.buffer) >= size

    def _drop(self, size: int) -> None:
        del self.buffer[:size]
        self.offset += size

    def _chunk_at(self, start: int, magic: bytes = b"") -> Chunk | None:
        """Return the chunk that begins at buffer[start], or None when there is no whole one.

        magic: the type it must have, where that is not two letters.
        """
        at = start + (len(magic) or TYPE_BYTES)
        if not self._fill(at + 1 + CRC_BYTES):
            return None
        kind = bytes(self.buffer[start:at])
        if kind != magic if magic else not (kind.isascii() and kind.isalpha()):
            return None
        size = 0
        for place in range(_MAX_LENGTH_BYTES):
            byte = self.buffer[at]  # there is one: a CRC has more bytes than a length
            at += 1
            size |= (byte & 127) << 7 * place
            if byte < 128:
                break
        if byte > 127 or (byte == 0 and place) or size > LIMITS.get(kind, limits.MAX_CHUNK):
            return None
        end = at + size
        if not self._fill(end + CRC_BYTES):
            return None
        crc = int.from_bytes(self.buffer[end : end + CRC_BYTES], "little")
        if zlib.crc32(self.buffer[start:end], 0 if magic else self.seed) == crc:
            return Chunk(self.offset + start, kind, bytes(self.buffer[at:end]), crc)
        self._work += size
        if self._work > limits.SCAN_WORK * (self.offset + start + limits.MAX_CHUNK):
            raise StreamError(f"byte {self.offset + start}: too damaged to search for whole chunks")
        return None

    def _skip_damage(self) -> Damage:
        """Drop bytes up to the next whole chunk of a known type, or to the end of the file."""
        begin = self.offset
        if self.chain is not None:
            self.chain.clear()
        try:
            self._search()
            at_end = not self._fill(1)
        except BlockingIOError:
            if self.offset == begin:
                raise
            at_end = False
        reason = "the file ends within a chunk" if at_end else "no whole chunk"
        return Damage(begin, self.offset - begin, reason)

    def _whole_later(self) -> int | None:
        """Return where in what has come a whole chunk begins, not at the first byte; else None."""
        with contextlib.suppress(BlockingIOError):
            while self._fill(len(self.buffer) + 1):
                pass
        place = 1
        while match := _ANY_LATE_TYPE.search(self.buffer, place):
            with contextlib.suppress(BlockingIOError):
                if self._known_at(match.start()) is not None:
                    return match.start()
            place = match.start() + 1
        return None

    def _search(self) -> None:
        """Drop bytes up to the next whole chunk, not at the first byte, or to the end."""
        if self.live:
            at = self._whole_later()
            if at is None and len(self.buffer) <= limits.MAX_CHUNK:
                raise BlockingIOError("no whole chunk has come")
            self._drop(len(self.buffer) // 2 if at is None else at)
            return
        pattern, longest = _ANY_TYPE, TYPE_BYTES
        if self.chain is not None:
            pattern, longest = _ANY_LATE_TYPE, len(STREAM_MAGIC)
        start = 1
        while True:
            match = pattern.search(self.buffer, start)
            if match is None:
                # A type may straddle two reads.
                behind = max(len(self.buffer) - longest + 1, 0)
                self._drop(behind)
                start = 0 if behind else 1
                if not self._fill(len(self.buffer) + 1):
                    self._drop(len(self.buffer))
                    return
            elif self._known_at(match.start()) is not None:
                self._drop(match.start())
                return
            else:
                start = match.start() + 1
                if start > _MAX_READ_BYTES:
                    self._drop(start)
                    start = 0
