"""Chunks that come in parts, so that frames need not wait for them (SPEC.md section 15)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from facecodec.bitstream import limits
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import TYPE_BYTES, Chunk
from facecodec.bitstream.fields import FieldReader, FieldWriter

_CRC_BYTES = 4
_INCOMPLETE = 4  # chunks that may be incomplete at the same time
PARTED = (
    chunks.IDENTITY,
    chunks.IDENTITY_REFERENCE,
    chunks.AUDIO_PARAMETERS,
    chunks.TUNING,
)


def split_chunk(kind: bytes, payload: bytes, size: int) -> Iterator[bytes]:
    """Yield the payloads of the parts of a chunk, of `size` bytes of it each or fewer."""
    count = max(-(-len(payload) // size), 1)
    crc = zlib.crc32(payload)
    for part in range(count):
        out = FieldWriter().raw(kind).integer(crc, _CRC_BYTES).varint(part).varint(count)
        yield bytes(out.raw(payload[part * size : (part + 1) * size]).data)


class ChunkParts:
    """Collects the parts of chunks, in any order and any number of times."""

    def __init__(self) -> None:
        self._parts: dict[tuple[bytes, int, int], dict[int, bytes]] = {}

    def add(self, chunk: Chunk) -> Chunk | None:
        """Add a part; return the whole chunk where it was the last one missing.

        Raises StreamError for a part that breaks the format.
        """
        fields = FieldReader(chunk.payload, "part of a chunk")
        kind = fields.raw(TYPE_BYTES)
        if kind not in PARTED:
            raise fields.fail("of a type that does not come in parts")
        crc = fields.integer(_CRC_BYTES)
        part = fields.varint(0, limits.MAX_PARTS - 1, "part")
        count = fields.varint(part + 1, limits.MAX_PARTS, "number of parts")
        key = kind, crc, count
        parts = self._parts.setdefault(key, {})
        while len(self._parts) > _INCOMPLETE:
            del self._parts[next(iter(self._parts))]
        parts[part] = fields.rest()
        if sum(map(len, parts.values())) > chunks.LIMITS[kind]:
            del self._parts[key]
            raise fields.fail("its chunk would be too large")
        if len(parts) < count:
            return None
        del self._parts[key]
        payload = b"".join(parts[i] for i in range(count))
        if zlib.crc32(payload) != crc:
            raise fields.fail("its chunk is not the one announced")
        return Chunk(chunk.offset, kind, payload)
