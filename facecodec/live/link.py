"""What a receiver knows of the stream that it is in, on any link."""

from __future__ import annotations

from collections.abc import Iterator

from facecodec.bitstream import AudioPacket, FrameRecord, StreamHeader
from facecodec.bitstream.coding.header import parse_header
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.audio import parse_packets
from facecodec.bitstream.container.chunks import Chunk
from facecodec.bitstream.container.frames import segment_records
from facecodec.bitstream.container.preamble import Preamble
from facecodec.bitstream.container.segments import SegmentDecoder
from facecodec.bitstream.limits import MAX_BACK
from facecodec.errors import StreamError
from facecodec.live.order import FrameOrder, LinkCounts

_AUDIO_WINDOW = 512  # packets before the newest, beyond which one is too late
_NAME = "the live stream"
# Keys of a header's metadata: the id in hexadecimal of the stream whose place one takes, because
# the same person is known better by now; and how they are tuned, 'none' if not.
REFINES, TUNE = "refines", "tune"

__all__ = ["LinkCounts", "Session"]


class Session:
    """One stream: its header, its person, its frames in order, its audio once each.

    remembered: how many segments may be continued.
    """

    def __init__(
        self, head: Chunk, counts: LinkCounts, depth: int, remembered: int = MAX_BACK
    ) -> None:
        """Begin a stream. Raises StreamError for a header that cannot be read."""
        self.header: StreamHeader = parse_header(head.payload)
        self.seed = head.crc
        self.preamble = Preamble(_NAME, late=True)
        self.order = FrameOrder(depth, counts)
        self.ended = False
        self._counts = counts
        self._segments = SegmentDecoder(self.header, remembered)
        self._newest_packet = -1
        self._packets: set[int] = set()  # numbers of the last that came

    @property
    def refines(self) -> bytes | None:
        """Return the id of the stream whose place this one takes, None where it takes none's."""
        try:
            return bytes.fromhex(self.header.metadata.get(REFINES, "")) or None
        except ValueError:
            return None

    @property
    def has_person(self) -> bool:
        """Whether all has come that the header says of the person."""
        return not self.preamble.missing(self.header)

    def take(self, chunk: Chunk) -> Iterator[FrameRecord | AudioPacket]:
        """Take in a whole chunk; yield what it makes ready.

        Raises StreamError for an unknown critical chunk.
        """
        if chunk.type in (chunks.SEGMENT, chunks.CONTINUED):
            self.add_segment(chunk)
            yield from self.order.release()
        elif chunk.type == chunks.AUDIO:
            yield from self._sound(chunk)
        elif chunk.type == chunks.END:
            self.ended = True
            yield from self.order.release(end=True)
        elif chunk.type in chunks.LATE_TYPES:
            try:
                self.preamble.add(chunk)
            except StreamError:
                self._counts.unusable += 1
        elif chunk.critical:
            raise StreamError(f"{_NAME}: critical chunk {chunk.name} is unknown to this program")

    def add_segment(self, chunk: Chunk) -> bool:
        """Take in the frames of a segment; False where it breaks the format."""
        try:
            self.order.add(segment_records(self._segments.decode(chunk)))
        except StreamError:
            self._counts.unusable += 1
            return False
        return True

    def _sound(self, chunk: Chunk) -> Iterator[AudioPacket]:
        """Yield the packets of a chunk that have not come before."""
        try:
            first, packets = parse_packets(chunk.payload)
        except StreamError:
            self._counts.unusable += 1
            return
        for number, packet in enumerate(packets, first):
            if number in self._packets or number <= self._newest_packet - _AUDIO_WINDOW:
                continue
            self._packets.add(number)
            if number > self._newest_packet:
                self._newest_packet = number
                oldest = number - _AUDIO_WINDOW
                self._packets = {n for n in self._packets if n > oldest}
            yield packet
