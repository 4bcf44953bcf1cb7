"""Reads chunks off a file or a pipe, and searches for the next whole one after damage."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from facecodec.bitstream import limits
from facecodec.bitstream.container.chunks import (
    CRC_BYTES,
    LIMITS,
    STREAM_MAGIC,
    TYPE_BYTES,
    Chunk,
    Damage,
)
from facecodec.errors import StreamError

_ANY_TYPE = re.compile(b"|".join(kind for kind in LIMITS if len(kind) == TYPE_BYTES))
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
    None for a pipe.
    """

    def __init__(
        self, file: BinaryIO, offset: int = 0, seed: int = 0, base: int | None = None
    ) -> None:
        self.file = file
        self.offset = offset  # of buffer[0] in the stream
        self.seed = seed
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
        self.seed = int.from_bytes(self.buffer[chunk.size - CRC_BYTES : chunk.size], "little")
        self._drop(chunk.size)
        return chunk

    def first(self) -> Chunk | None:
        """Take the chunk that begins right here, or return None: no search, no recovery."""
        chunk = self._chunk_at(0)
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
        while self._fill(1):
            chunk = self._chunk_at(0)
            if chunk is not None:
                self._drop(chunk.size)
                yield chunk
            else:
                yield self._skip_damage()

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
        if zlib.crc32(self.buffer[start:end], self.seed) == crc:
            return Chunk(self.offset + start, kind, bytes(self.buffer[at:end]))
        self._work += size
        if self._work > limits.SCAN_WORK * (self.offset + start + limits.MAX_CHUNK):
            raise StreamError(f"byte {self.offset + start}: too damaged to search for whole chunks")
        return None

    def _skip_damage(self) -> Damage:
        """Drop bytes up to the next whole chunk of a known type, or to the end of the file."""
        begin = self.offset
        start = 1
        while True:
            match = _ANY_TYPE.search(self.buffer, start)
            if match is None:
                # Keep a byte: a type may straddle two reads.
                self._drop(max(len(self.buffer) - TYPE_BYTES + 1, 0))
                start = 0
                if not self._fill(len(self.buffer) + 1):
                    self._drop(len(self.buffer))
                    break
            elif self._chunk_at(match.start()) is not None:
                self._drop(match.start())
                break
            else:
                start = match.start() + 1
                if start > _MAX_READ_BYTES:
                    self._drop(start)
                    start = 0
        at_end = not self._fill(1)
        reason = "the file ends within a chunk" if at_end else "no whole chunk"
        return Damage(begin, self.offset - begin, reason)
