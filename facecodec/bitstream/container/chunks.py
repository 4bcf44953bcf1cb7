"""Chunks: type, length, payload, CRC-32. Written one by one; read with recovery after damage.

A chunk type is two ASCII letters; an upper-case first letter makes it critical. The header is the
first chunk, and its type the four bytes that files of its kind begin with. The CRC of every chunk
after the header starts from the header's own CRC, so that a chunk of another stream (spliced
in, or embedded in an audio packet) never passes for one of this stream.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from facecodec.bitstream import limits
from facecodec.bitstream.fields import FieldWriter, varint_size
from facecodec.errors import StreamError

STREAM_MAGIC = b"\x89FCV"
IDENTITY_MAGIC = b"\x89FCI"

IDENTITY = b"ID"
IDENTITY_REFERENCE = b"IR"
TUNING = b"TU"
AUDIO_PARAMETERS = b"AP"
AUDIO = b"AU"
SEGMENT = b"SE"
END = b"EN"

LIMITS = {
    STREAM_MAGIC: limits.MAX_HEADER,
    IDENTITY_MAGIC: limits.MAX_HEADER,
    IDENTITY: limits.MAX_CHUNK,
    IDENTITY_REFERENCE: 32,
    TUNING: limits.MAX_CHUNK,
    AUDIO_PARAMETERS: limits.MAX_CHUNK,
    AUDIO: limits.MAX_CHUNK,
    SEGMENT: limits.MAX_SEGMENT,
    END: limits.MAX_INDEX,
}
TYPE = 2  # bytes of a type, but for the header's
CRC = 4
_ANY_TYPE = re.compile(b"|".join(kind for kind in LIMITS if len(kind) == TYPE))
_LENGTH = 3  # bytes of the longest length
_READ = 1 << 16


@dataclass(frozen=True)
class Chunk:
    """One whole chunk: its place in the file, its type and its payload."""

    offset: int
    type: bytes
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes in the file, type, length and CRC included."""
        size = len(self.payload)
        return len(self.type) + varint_size(size) + size + CRC

    @property
    def name(self) -> str:
        """Return the type in letters."""
        return "header" if len(self.type) != TYPE else self.type.decode()

    @property
    def critical(self) -> bool:
        """Whether a reader that does not know the type must refuse the stream."""
        return not self.type[0] & 32


@dataclass(frozen=True)
class Damage:
    """Bytes of a stream that could not be used, and why."""

    offset: int
    size: int
    reason: str

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.reason} ({self.size} bytes lost)"


def pack_chunk(kind: bytes, payload: bytes, seed: int) -> bytes:
    """Return the bytes of one chunk: type, length, payload, and their CRC-32 from `seed` on."""
    if len(payload) > LIMITS.get(kind, limits.MAX_CHUNK):
        raise StreamError(f"a {kind!r} chunk of {len(payload)} bytes is too large to write")
    data = kind + FieldWriter().varint(len(payload)).data + payload
    return data + zlib.crc32(data, seed).to_bytes(CRC, "little")


class ChunkReader:
    """Reads chunks off a file object, which need not be seekable.

    Holds no more than one chunk and one read ahead. After bytes that are no chunk it looks for the
    next place where one begins, and yields the bytes between as Damage.
    """

    def __init__(self, file: BinaryIO, offset: int = 0, seed: int = 0) -> None:
        self.file = file
        self.offset = offset  # of buffer[0] in the file
        self.seed = seed
        self.buffer = bytearray()
        self._ended = False
        self._work = 0  # bytes checksummed in vain
        self._seen = 0  # bytes read

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
        self.seed = int.from_bytes(self.buffer[chunk.size - CRC : chunk.size], "little")
        self._drop(chunk.size)
        return chunk

    def first(self) -> Chunk | None:
        """Take the chunk that begins right here, or return None: no search, no recovery."""
        chunk = self._chunk_at(0)
        if chunk is not None:
            self._drop(chunk.size)
        return chunk

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
            data = self.file.read(min(_READ, max(size - len(self.buffer), 4096)))
            self._ended = not data
            self._seen += len(data)
            self.buffer += data
        return len(self.buffer) >= size

    def _drop(self, size: int) -> None:
        del self.buffer[:size]
        self.offset += size

    def _chunk_at(self, start: int, magic: bytes = b"") -> Chunk | None:
        """Return the chunk that begins at buffer[start], or None when there is no whole one.

        magic: the type it must have, where that is not two letters.
        """
        at = start + (len(magic) or TYPE)
        if not self._fill(at + 1 + CRC):
            return None
        kind = bytes(self.buffer[start:at])
        if kind != magic if magic else not (kind.isascii() and kind.isalpha()):
            return None
        size = 0
        for place in range(_LENGTH):
            byte = self.buffer[at]  # there is one: a CRC has more bytes than a length
            at += 1
            size |= (byte & 127) << 7 * place
            if byte < 128:
                break
        if byte > 127 or (byte == 0 and place) or size > LIMITS.get(kind, limits.MAX_CHUNK):
            return None
        end = at + size
        if not self._fill(end + CRC):
            return None
        crc = int.from_bytes(self.buffer[end : end + CRC], "little")
        if zlib.crc32(self.buffer[start:end], self.seed) == crc:
            return Chunk(self.offset + start, kind, bytes(self.buffer[at:end]))
        self._work += size
        if self._work > limits.SCAN_WORK * (self._seen + limits.MAX_CHUNK):
            raise StreamError(f"byte {self.offset + start}: too damaged to search for whole chunks")
        return None

    def _skip_damage(self) -> Damage:
        """Drop bytes up to the next whole chunk of a known type, or to the end of the file."""
        begin = self.offset
        start = 1
        while True:
            found = _ANY_TYPE.search(self.buffer, start)
            if found is None:
                # Keep a byte: a type may straddle two reads.
                self._drop(max(len(self.buffer) - TYPE + 1, 0))
                start = 0
                if not self._fill(len(self.buffer) + 1):
                    self._drop(len(self.buffer))
                    break
            elif self._chunk_at(found.start()) is not None:
                self._drop(found.start())
                break
            else:
                start = found.start() + 1
                if start > _READ:
                    self._drop(start)
                    start = 0
        at_end = not self._fill(1)
        reason = "the file ends within a chunk" if at_end else "no whole chunk"
        return Damage(begin, self.offset - begin, reason)
