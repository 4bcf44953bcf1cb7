"""Chunks: type, length, payload, CRC-32. Written one by one; read with recovery after damage.

A chunk type is four ASCII letters; an upper-case first letter makes it critical. The CRC of every
chunk after the header starts from the header's own CRC, so that a chunk of another stream (spliced
in, or embedded in an audio packet) never passes for one of this stream.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from facecodec.bitstream.limits import MAX_CHUNK, MAX_METADATA, MAX_SEGMENT, SCAN_WORK
from facecodec.errors import StreamError

STREAM_MAGIC = b"\x89FCV\r\n\x1a\n"
IDENTITY_MAGIC = b"\x89FCI\r\n\x1a\n"

HEADER = b"HEAD"
METADATA = b"meta"
IDENTITY = b"IDEN"
IDENTITY_REFERENCE = b"IDRF"
TUNING = b"TUNE"
AUDIO_PARAMETERS = b"AUDP"
AUDIO = b"AUDI"
SEGMENT = b"SEGM"
END = b"DONE"

LIMITS = {
    HEADER: 1024,
    METADATA: MAX_METADATA,
    IDENTITY: MAX_CHUNK,
    IDENTITY_REFERENCE: 32,
    TUNING: MAX_CHUNK,
    AUDIO_PARAMETERS: MAX_CHUNK,
    AUDIO: MAX_CHUNK,
    SEGMENT: MAX_SEGMENT,
    END: MAX_CHUNK,
}
OVERHEAD = 12  # type, length and CRC
_ANY_TYPE = re.compile(b"|".join(LIMITS))
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
        return len(self.payload) + OVERHEAD

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


def chunk_crc(kind: bytes, payload: bytes, seed: int) -> int:
    """Return the CRC-32 (as in zlib) of type, length and payload, started from `seed`."""
    return zlib.crc32(payload, zlib.crc32(kind + struct.pack("<I", len(payload)), seed))


def pack_chunk(kind: bytes, payload: bytes, seed: int) -> bytes:
    """Return the bytes of one chunk."""
    if len(payload) > LIMITS.get(kind, MAX_CHUNK):
        raise StreamError(f"a {kind.decode()} chunk of {len(payload)} bytes is too large to write")
    crc = chunk_crc(kind, payload, seed)
    return kind + struct.pack("<I", len(payload)) + payload + struct.pack("<I", crc)


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

    def take(self, size: int) -> bytes:
        """Take `size` raw bytes, or what there is."""
        self._fill(size)
        data = bytes(self.buffer[:size])
        self._drop(len(data))
        return data

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

    def _chunk_at(self, start: int) -> Chunk | None:
        """Return the chunk that begins at buffer[start], or None when there is no whole one."""
        if not self._fill(start + OVERHEAD):
            return None
        kind = bytes(self.buffer[start : start + 4])
        size = int.from_bytes(self.buffer[start + 4 : start + 8], "little")
        if not (kind.isascii() and kind.isalpha()) or size > LIMITS.get(kind, MAX_CHUNK):
            return None
        if not self._fill(start + size + OVERHEAD):
            return None
        payload = bytes(self.buffer[start + 8 : start + 8 + size])
        crc = int.from_bytes(self.buffer[start + 8 + size : start + size + OVERHEAD], "little")
        if chunk_crc(kind, payload, self.seed) == crc:
            return Chunk(self.offset + start, kind, payload)
        self._work += size
        if self._work > SCAN_WORK * (self._seen + MAX_CHUNK):
            raise StreamError(f"byte {self.offset + start}: too damaged to search for whole chunks")
        return None

    def _skip_damage(self) -> Damage:
        """Drop bytes up to the next whole chunk of a known type, or to the end of the file."""
        begin = self.offset
        start = 1
        while True:
            found = _ANY_TYPE.search(self.buffer, start)
            if found is None:
                # Keep three bytes: a type may straddle two reads.
                self._drop(max(len(self.buffer) - 3, 0))
                start = 0
                if not self._fill(len(self.buffer) + 1):
                    self._drop(len(self.buffer))
                    break
            elif self._chunk_at(found.start()) is not None:
                self._drop(found.start())
                break
            else:
                self._drop(found.start() + 1)
                start = 0
        at_end = not self._fill(1)
        reason = "the file ends within a chunk" if at_end else "no whole chunk"
        return Damage(begin, self.offset - begin, reason)
