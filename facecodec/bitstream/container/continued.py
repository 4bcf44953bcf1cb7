"""Chunks of segments that continue others: a short head, a body, a check (SPEC.md section 15).

Their CRC-32 starts from that of the segment they continue, so that such a chunk passes after that
segment alone, of that stream alone. Three bytes of it are stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from facecodec.bitstream import limits
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.segment import segment_start
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import Chunk
from facecodec.bitstream.fields import FieldWriter, varint_size
from facecodec.errors import StreamError, UsageError

CHECK_BYTES = 3  # of the CRC-32, the lowest
_CHECK_MASK = (1 << 8 * CHECK_BYTES) - 1

# The first byte of a chunk.
LONG = 0x80  # everything follows
SHORT = 0xA0  # in a stream: plus the bytes of its body
LAST = 0xA0  # at the end of a datagram, which its body fills: plus the lowest bits of its number
LAST_NUMBERS = 32
_MAX_SHORT_BYTES = 0xFF - SHORT
LONG_NUMBERS = 1 << 16
_LONG_NUMBER_BYTES = 2
_MOST_IN_CODE = 4  # numbers of frames that a code says; the last stands for a varint that follows
_MAX_VARINT_BYTES = 2  # of a number of frames, and of a length


@dataclass(frozen=True)
class ContinuedChunk(Chunk):
    """A segment that continues another; `payload` is its body.

    first: the number of its first frame. back: how many frames before that the last frame is of
    the segment it continues. frames: how many it has. stored: bytes of the chunk.
    """

    first: int = 0
    back: int = 1
    frames: int = 1
    stored: int = 0

    @property
    def size(self) -> int:
        """Bytes in the file, head and check included."""
        return self.stored

    @property
    def name(self) -> str:
        """Return what it is called."""
        return "continued"

    @property
    def critical(self) -> bool:
        """Return True: it holds frames."""
        return True


@dataclass(frozen=True)
class Head:
    """The fields before a body.

    back: as in ContinuedChunk. frames: None for as many as the segment it continues. number: of
    the first frame, modulo `numbers`; None where it is the next one. size: bytes of the body, None
    where it goes to the end of the datagram. taken: bytes of the head.
    """

    back: int
    frames: int | None
    number: int | None
    numbers: int
    size: int | None
    taken: int


def continued_crc(before: int, back: int, frames: int, body: bytes) -> int:
    """Return the CRC-32 of a segment that continues the one whose CRC-32 is `before`."""
    return zlib.crc32(_code(back, frames) + body, before)


def passes(crc: int, check: bytes) -> bool:
    """Return whether a CRC-32 is the one of a stored check."""
    return crc & _CHECK_MASK == int.from_bytes(check, "little")


def pack_in_stream(chunk: ContinuedChunk, frames_before: int) -> bytes:
    """Return the bytes of a chunk as the next of a stream.

    frames_before: of the segment that it continues. Raises UsageError for a body that is larger
    than the format allows.
    """
    size = len(chunk.payload)
    if chunk.back != 1 or chunk.frames != frames_before or size > _MAX_SHORT_BYTES:
        return pack_long(chunk)
    return bytes([SHORT + size]) + chunk.payload + _check(chunk)


def pack_last(chunk: ContinuedChunk, frames_before: int) -> bytes:
    """Return the bytes of a chunk as the last of a datagram; otherwise as `pack_in_stream`."""
    if chunk.back != 1 or chunk.frames != frames_before:
        return pack_long(chunk)
    return bytes([LAST + chunk.first % LAST_NUMBERS]) + chunk.payload + _check(chunk)


def pack_long(chunk: ContinuedChunk) -> bytes:
    """Return the bytes of a chunk in the form that says everything.

    Raises UsageError for a body that is larger than the format allows.
    """
    if len(chunk.payload) > limits.MAX_CONTINUED:
        raise UsageError(f"{len(chunk.payload)} bytes are too many for a continued segment")
    out = FieldWriter().integer(LONG, 1).integer(chunk.first % LONG_NUMBERS, _LONG_NUMBER_BYTES)
    out.raw(_code(chunk.back, chunk.frames)).varint(len(chunk.payload))
    return bytes(out.raw(chunk.payload).raw(_check(chunk)).data)


def _check(chunk: Chunk) -> bytes:
    return (chunk.crc & _CHECK_MASK).to_bytes(CHECK_BYTES, "little")


def _code(back: int, frames: int) -> bytes:
    """Return what says how far back and how many frames: a byte, and a varint from 4 frames on."""
    if not 1 <= back <= limits.MAX_BACK or not 1 <= frames <= limits.MAX_GROUP_FRAMES:
        raise UsageError(f"a segment of {frames} frames, {back} after another: out of range")
    count = min(frames, _MOST_IN_CODE)
    out = FieldWriter().integer((count - 1) * limits.MAX_BACK + back - 1, 1)
    return bytes(out.varint(frames).data if count == _MOST_IN_CODE else out.data)


def read_head(byte: Callable[[int], int | None], datagram: bool = False) -> Head | None:
    """Read the head of a chunk, whose bytes `byte` gives by their place, None after the last.

    Returns None for what is no head.
    """
    kind = byte(0)
    if kind is None or kind < LONG:
        return None
    if kind >= SHORT and not datagram:
        return Head(1, None, None, 1, kind - SHORT, 1)
    if LAST <= kind < LAST + LAST_NUMBERS and datagram:
        return Head(1, None, kind - LAST, LAST_NUMBERS, None, 1)
    at = 1 + _LONG_NUMBER_BYTES
    low, high, code = byte(1), byte(2), byte(at)
    if kind != LONG or low is None or high is None or code is None:
        return None
    count, back = divmod(code, limits.MAX_BACK)
    frames: int | None = count + 1
    at += 1
    if frames == _MOST_IN_CODE:
        frames, at = _varint(byte, at)
    size, at = _varint(byte, at)
    known = frames is not None and count + 1 <= frames <= limits.MAX_GROUP_FRAMES
    if count >= _MOST_IN_CODE or not known or size is None or size > limits.MAX_CONTINUED:
        return None
    return Head(back + 1, frames, low | high << 8, LONG_NUMBERS, size, at)


def _varint(byte: Callable[[int], int | None], at: int) -> tuple[int | None, int]:
    """Read a varint at a place; return it, None for none, and the place after it."""
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        part = byte(at)
        if part is None:
            return None, at
        at += 1
        value |= (part & 127) << 7 * place
        if part < 128:
            return (value if varint_size(value) == place + 1 else None), at
    return None, at


@dataclass(frozen=True)
class Link:
    """A segment that may be continued: its CRC-32 and its number of frames."""

    crc: int
    frames: int


class Chain:
    """The segments that may be continued, by the numbers of their last frames.

    remembered: how many, the latest ones; within one stream as many as the format allows.
    """

    def __init__(self, header: StreamHeader, remembered: int = limits.MAX_BACK) -> None:
        self.next: int | None = None  # the number of the next frame of a stream, where it is known
        self._header = header
        self._remembered = remembered
        self._links: dict[int, Link] = {}

    def clear(self) -> None:
        """Forget all: what follows cannot be told to continue anything."""
        self.next = None
        self._links.clear()

    def key(self, chunk: Chunk) -> None:
        """Take in a segment of a stream that stands alone; what came before is not continued."""
        self.clear()
        try:
            first, frames, _ = segment_start(self._header, chunk.payload)
        except StreamError:
            return
        self.add(first, Link(chunk.crc, frames))

    def add(self, first: int, link: Link) -> None:
        """Add a segment whose first frame is number `first`."""
        self.next = first + link.frames
        self._links[self.next - 1] = link
        while len(self._links) > self._remembered:
            del self._links[min(self._links)]

    def linked(self, first: int, back: int) -> Link | None:
        """Return the segment that one from frame `first` on continues, None for none known."""
        return self._links.get(first - back)

    def chunk(
        self, head: Head, first: int | None, body: bytes, check: bytes, offset: int
    ) -> ContinuedChunk | None:
        """Return the chunk of a segment from frame `first` on, None where its check is not right.

        It is added to those that may be continued.
        """
        before = None if first is None else self.linked(first, head.back)
        if first is None or before is None:
            return None
        frames = head.frames or before.frames
        crc = continued_crc(before.crc, head.back, frames, body)
        if not passes(crc, check):
            return None
        self.add(first, Link(crc, frames))
        stored = head.taken + len(body) + len(check)
        return ContinuedChunk(offset, chunks.CONTINUED, body, crc, first, head.back, frames, stored)
