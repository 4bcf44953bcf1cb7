"""A datagram: one or more whole chunks (SPEC.md section 16)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from facecodec.bitstream import limits
from facecodec.bitstream.container.chunks import (
    CRC_BYTES,
    LIMITS,
    STREAM_MAGIC,
    TYPE_BYTES,
    Chunk,
)
from facecodec.bitstream.container.continued import CHECK_BYTES, LONG, Head, read_head
from facecodec.bitstream.fields import FieldReader
from facecodec.errors import StreamError


@dataclass(frozen=True)
class Loose:
    """A segment that continues another, which may not have come yet: its check is not compared."""

    head: Head
    body: bytes
    check: bytes


def split_packet(data: bytes, seed: int | None) -> Iterator[Chunk | Loose]:
    """Yield what a datagram holds, up to its end or to what is no chunk.

    seed: what the CRCs of this stream's chunks start from; None where no header has come: then
    headers alone are found. The seed becomes that of a header in the datagram.
    Raises StreamError at what is no chunk.
    """
    at = 0
    while at < len(data):
        if data[at] >= LONG and data[at] != STREAM_MAGIC[0]:
            loose, at = _loose(data, at)
            yield loose
            continue
        header = data[at] == STREAM_MAGIC[0]
        if seed is None and not header:
            raise StreamError("datagram: comes before a header")
        chunk = _chunk(data, at, STREAM_MAGIC if header else b"", 0 if header else seed or 0)
        if header:
            seed = chunk.crc
        at += chunk.size
        yield chunk


def _chunk(data: bytes, at: int, magic: bytes, seed: int) -> Chunk:
    fields = FieldReader(data, "datagram")
    fields.position = at
    kind = fields.raw(len(magic) or TYPE_BYTES)
    if kind != magic if magic else not (kind.isascii() and kind.isalpha()):
        raise fields.fail("what is no chunk")
    payload = fields.raw(fields.varint(0, LIMITS.get(kind, limits.MAX_CHUNK), "length"))
    crc = zlib.crc32(data[at : fields.position], seed)
    if crc != fields.integer(CRC_BYTES):
        raise fields.fail("a chunk that is damaged or of another stream")
    return Chunk(at, kind, payload, crc)


def _loose(data: bytes, at: int) -> tuple[Loose, int]:
    head = read_head(lambda place: data[at + place] if at + place < len(data) else None, True)
    if head is None:
        raise StreamError("datagram: what is no chunk")
    begin = at + head.taken
    end = len(data) - CHECK_BYTES if head.size is None else begin + head.size
    if not begin <= end <= min(len(data) - CHECK_BYTES, begin + limits.MAX_CONTINUED):
        raise StreamError("datagram: ends within a chunk")
    return Loose(head, data[begin:end], data[end : end + CHECK_BYTES]), end + CHECK_BYTES
