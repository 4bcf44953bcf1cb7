"""Turns the chunks of a stream's body into frames and packets; fills what damage took.

SPEC.md section 11 in code: what is dropped, what is reported, what is put in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from facecodec.bitstream import limits
from facecodec.bitstream.audio import AudioPacket
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.segment import Segment
from facecodec.bitstream.coding.timing import usual_step
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.audio import parse_packets
from facecodec.bitstream.container.chunks import Chunk, Damage
from facecodec.bitstream.container.context import parse_pictures
from facecodec.bitstream.container.frames import FrameRecord, fill_gap, segment_records
from facecodec.bitstream.container.index import parse_index
from facecodec.bitstream.container.segments import SegmentDecoder
from facecodec.bitstream.context import ContextPictures
from facecodec.errors import StreamError

Report = Callable[[Damage], None]
Item = FrameRecord | AudioPacket | ContextPictures


def context_of(chunk: Chunk, report: Report) -> Iterator[ContextPictures]:
    """Yield the pictures of a context chunk; nothing where it breaks the format."""
    try:
        yield parse_pictures(chunk.payload)
    except StreamError as error:
        report(Damage(chunk.offset, chunk.size, str(error)))


class PacketParser:
    """Parses audio chunks in order and counts their packets.

    expected: the number that the first packet should have, None where that is not known.
    """

    def __init__(self, report: Report, expected: int | None = 0) -> None:
        self._report = report
        self._expected = expected

    def end(self, chunk: Chunk, packets: int | None) -> None:
        """Report the packets missing at the end, where the end chunk counts them."""
        if packets is not None and self._expected is not None and packets != self._expected:
            count = f"the end chunk counts {packets} audio packets, {self._expected} came"
            self._report(Damage(chunk.offset, 0, count))

    def parse(self, chunk: Chunk) -> list[AudioPacket]:
        """Return the packets of an audio chunk; none where it breaks the format."""
        try:
            first, packets = parse_packets(chunk.payload)
            if self._expected is not None and first < self._expected:
                raise StreamError("audio chunk: goes back in time")
        except StreamError as error:
            self._report(Damage(chunk.offset, chunk.size, str(error)))
            return []
        if self._expected is not None and first > self._expected:
            missing = f"{first - self._expected} audio packets before it are missing"
            self._report(Damage(chunk.offset, 0, missing))
        self._expected = first + len(packets)
        return packets


class BodyDecoder:
    """Decodes the chunks of a body in order.

    header: of the stream. name: what errors call the file. report: takes each damage.
    packets: parses the audio; None passes over it. context: whether the context is wanted.
    expected: the number of the next frame. lost: bytes that were lost since the header, or since
    the last segment.
    """

    def __init__(
        self,
        header: StreamHeader,
        name: str,
        report: Report,
        packets: PacketParser | None,
        context: bool = False,
        expected: int = 0,
        lost: int = 0,
    ) -> None:
        self._header = header
        self._name = name
        self._report = report
        self._packets = packets
        self._context = context
        self._expected = expected
        self._lost = lost
        self._segments = SegmentDecoder(header)
        self._before: FrameRecord | None = None
        # From the last known frame but one to the last, where those two are neighbours.
        self._step: int | None = None

    def decode(self, source: Iterable[Chunk | Damage]) -> Iterator[Item]:
        """Yield the frames, packets and context of `source`, recovered frames included.

        Raises StreamError where frames are missing that no lost bytes explain.
        """
        for chunk in source:
            if isinstance(chunk, Damage):
                self._lost += chunk.size
            elif chunk.type == chunks.AUDIO and self._packets:
                yield from self._packets.parse(chunk)
            elif chunk.type == chunks.CONTEXT and self._context:
                yield from context_of(chunk, self._report)
            elif chunk.type in (chunks.SEGMENT, chunks.CONTINUED):
                yield from self._frames(chunk)
            elif chunk.type == chunks.END:
                yield from self._end(chunk)

    def _frames(self, chunk: Chunk) -> Iterator[FrameRecord]:
        """Yield the frames of a segment after those missing before it; none where it is dropped."""
        segment = self._parse(chunk)
        if segment is None:
            self._lost += chunk.size
            return
        records = segment_records(segment)
        inner = records[1].pts - records[0].pts if len(records) > 1 else None
        missing = segment.first - self._expected
        if missing:
            self._allow_gap(missing, chunk)
            step = inner or usual_step(self._header)
            yield from fill_gap(self._before, records[0], missing, step)
        yield from records
        if len(records) > 1:
            self._step = records[-1].pts - records[-2].pts
        elif self._before and not missing:
            self._step = records[0].pts - self._before.pts
        self._before, self._expected, self._lost = records[-1], records[-1].index + 1, 0

    def _parse(self, chunk: Chunk) -> Segment | None:
        """Decode a segment; report it and return None where it breaks the format."""
        before = self._before
        try:
            segment = self._segments.decode(chunk)
            if segment.first < self._expected:
                raise StreamError("segment: goes back in time")
            if before and segment.pts[0] - before.pts < segment.first - before.index:
                # Timestamps rise from frame to frame, by at least one unit each.
                raise StreamError("segment: its time leaves no room for the frames before it")
            return segment
        except StreamError as error:
            self._report(Damage(chunk.offset, chunk.size, str(error)))
            return None

    def _end(self, chunk: Chunk) -> Iterator[FrameRecord]:
        """Yield the frames that are missing before the end chunk."""
        try:
            index = parse_index(self._header, chunk)
        except StreamError:
            return  # reported by whoever reads the chunks
        if self._packets:
            self._packets.end(chunk, index.packets)
        frames = index.frames
        missing = frames - self._expected
        if missing < 0:
            count = f"the end chunk counts {frames} frames, {self._expected} came"
            self._report(Damage(chunk.offset, chunk.size, count))
        elif missing > 0:
            self._allow_gap(missing, chunk)
            if self._before is None:
                none = f"{missing} frames are missing, and there is none to recover them from"
                self._report(Damage(chunk.offset, 0, none))
            step = self._step or usual_step(self._header)
            yield from fill_gap(self._before, None, missing, step)

    def _allow_gap(self, missing: int, chunk: Chunk) -> None:
        """Refuse a gap before `chunk` that the bytes lost cannot explain."""
        most = limits.MAX_SEGMENT_FRAMES * (self._lost // limits.SMALLEST_SEGMENT + 1)
        if not self._lost or missing > most:
            raise StreamError(f"{self._name}: {missing} frames are missing where nothing was lost")
        if self._expected + missing > limits.MAX_FRAMES_PER_BYTE * chunk.offset:
            raise StreamError(f"{self._name}: {missing} frames are missing, more than it can hold")
