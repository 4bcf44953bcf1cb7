"""Chunks of segments to frames and back, each with what the one that it continues has left."""

from __future__ import annotations

from facecodec.bitstream import limits
from facecodec.bitstream.coding.continued import pack_continued, parse_continued
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.segment import Segment, SegmentState, pack_key, parse_key
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import CRC_BYTES, Chunk, pack_chunk
from facecodec.bitstream.container.continued import ContinuedChunk, continued_crc
from facecodec.errors import StreamError


class SegmentDecoder:
    """Decodes segments, and remembers what the last ones have left.

    remembered: how many may be continued; as many as the format allows within one stream.
    """

    def __init__(self, header: StreamHeader, remembered: int = limits.MAX_BACK) -> None:
        self._header = header
        self._remembered = remembered
        # By the number of its last frame: what a segment left, and the first frame of its key.
        self._left: dict[int, tuple[SegmentState, int]] = {}

    def decode(self, chunk: Chunk) -> Segment:
        """Return the frames of a chunk. Raises StreamError where it breaks the format."""
        if not isinstance(chunk, ContinuedChunk):
            segment, state = parse_key(self._header, chunk.payload)
            self._remember(state, segment.first)
            return segment
        before = self._left.get(chunk.first - chunk.back)
        if before is None:
            raise StreamError("segment: what it continues is not there")
        if chunk.first + chunk.frames - before[1] > limits.MAX_GROUP_FRAMES:
            most = limits.MAX_GROUP_FRAMES
            raise StreamError(f"segment: more than {most} frames without one that stands alone")
        segment, state = parse_continued(
            self._header, before[0], chunk.first, chunk.frames, chunk.payload
        )
        self._remember(state, before[1])
        return segment

    def _remember(self, state: SegmentState, first: int) -> None:
        if self._header.version == limits.VERSION or self._header.precision != "quantised":
            return  # nothing continues these
        self._left[state.index] = (state, first)
        while len(self._left) > self._remembered:
            del self._left[min(self._left)]


class SegmentEncoder:
    """Makes the chunks of segments, of which each continues the one before where it may.

    seed: what the CRC of a chunk of this stream starts from. key_frames: a segment stands alone
    when so many frames would be over since the last that does.
    """

    def __init__(self, header: StreamHeader, seed: int, key_frames: int) -> None:
        self._header = header
        self._seed = seed
        self._key_frames = key_frames
        self._state: SegmentState | None = None
        self._crc = 0  # of the segment before
        self._key = 0  # the first frame of the last segment that stands alone

    def is_key(self, first: int, frames: int) -> bool:
        """Return whether a segment of `frames` frames from number `first` on will stand alone."""
        return self._state is None or first + frames - self._key > self._key_frames

    def restart(self) -> None:
        """Have the next segment stand alone."""
        self._state = None

    def encode(self, segment: Segment) -> Chunk:
        """Return the chunk of the next segment."""
        first, frames = segment.first, len(segment)
        if self._state is None or self.is_key(first, frames):
            payload, self._state = pack_key(self._header, segment)
            data = pack_chunk(chunks.SEGMENT, payload, self._seed)
            self._crc, self._key = int.from_bytes(data[-CRC_BYTES:], "little"), first
            return Chunk(0, chunks.SEGMENT, payload, self._crc)
        back = first - self._state.index
        body, self._state = pack_continued(self._header, self._state, segment)
        self._crc = continued_crc(self._crc, back, frames, body)
        return ContinuedChunk(0, chunks.CONTINUED, body, self._crc, first, back, frames)
