"""Chunks: type, length, payload and CRC-32 (SPEC.md section 2).

A chunk type is two ASCII letters; an upper-case first letter makes it critical. The header is the
first chunk, and its type the four bytes that files of its kind begin with. The CRC of every chunk
after the header starts from the header's own CRC, so that a chunk of another stream (spliced
in, or embedded in an audio packet) never passes for one of this stream.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from facecodec.bitstream import limits
from facecodec.bitstream.fields import FieldWriter, varint_size
from facecodec.errors import UsageError

STREAM_MAGIC = b"\x89FCV"
IDENTITY_MAGIC = b"\x89FCI"

IDENTITY = b"ID"
IDENTITY_REFERENCE = b"IR"
TUNING = b"TU"
AUDIO_PARAMETERS = b"AP"
AUDIO = b"AU"
SEGMENT = b"SE"
END = b"EN"
CONTEXT_PLATE = b"cP"
CONTEXT = b"cF"
PART = b"PA"  # of another chunk; version 2
CONTINUED = b"\xc0"  # what stands for the types of segments that continue others; version 2

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
    CONTEXT_PLATE: limits.MAX_CONTEXT,
    CONTEXT: limits.MAX_CONTEXT,
    PART: limits.MAX_CHUNK,
}
# What version 2 may send again, or only now, between segments.
LATE_TYPES = (STREAM_MAGIC, IDENTITY, IDENTITY_REFERENCE, AUDIO_PARAMETERS, TUNING, PART)
TYPE_BYTES = 2  # bytes of a type, but for the header's
CRC_BYTES = 4


@dataclass(frozen=True)
class Chunk:
    """One whole chunk: its place in the file, its type, its payload and its CRC-32."""

    offset: int
    type: bytes
    payload: bytes
    crc: int = 0

    @property
    def size(self) -> int:
        """Bytes in the file, type, length and CRC included."""
        size = len(self.payload)
        return len(self.type) + varint_size(size) + size + CRC_BYTES

    @property
    def name(self) -> str:
        """Return the type in letters."""
        return "header" if len(self.type) != TYPE_BYTES else self.type.decode("ascii")

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
    """Return the bytes of one chunk: type, length, payload, and their CRC-32 from `seed` on.

    Raises UsageError for a payload that is larger than the format allows.
    """
    most = LIMITS.get(kind, limits.MAX_CHUNK)
    if len(payload) > most:
        name = Chunk(0, kind, payload).name
        raise UsageError(f"{len(payload)} bytes are too many for a {name} chunk: at most {most}")
    data = kind + FieldWriter().varint(len(payload)).data + payload
    return data + zlib.crc32(data, seed).to_bytes(CRC_BYTES, "little")
