"""A link that loses, delays, doubles and reorders datagrams (SPEC.md section 16)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from facecodec.bitstream import AudioPacket, FrameRecord
from facecodec.bitstream.coding.segment import segment_start
from facecodec.bitstream.container.chunks import SEGMENT, STREAM_MAGIC, Chunk
from facecodec.bitstream.container.continued import Chain, Link
from facecodec.bitstream.container.packet import Loose, split_packet
from facecodec.bitstream.limits import LIVE_VERSION
from facecodec.errors import StreamError
from facecodec.live.link import LinkCounts, Session

_REMEMBERED = 32  # segments that may be continued
_MOST_WAITING = 64  # segments that came before the one they continue
_STREAMS_LEFT = 8  # streams left behind, whose late headers are not gone back to
Item = FrameRecord | AudioPacket


class DatagramLink:
    """Takes datagrams in any order; decodes each segment once what it continues is there."""

    def __init__(self, counts: LinkCounts, depth: int) -> None:
        self.session: Session | None = None
        self._counts = counts
        self._depth = depth
        self._waiting: deque[Loose] = deque(maxlen=_MOST_WAITING)
        self._left: deque[int] = deque(maxlen=_STREAMS_LEFT)

    def feed(self, data: bytes) -> Iterator[tuple[Session, Item]]:
        """Take a datagram; yield what it makes ready."""
        try:
            for item in split_packet(data, None if self.session is None else self.session.seed):
                if isinstance(item, Loose):
                    self._continue(item)
                elif item.type == STREAM_MAGIC:
                    if self._is_other(item):
                        yield from self.flush()
                        self._start(item)
                elif item.type == SEGMENT:
                    self._key(item)
                elif self.session is not None:
                    session = self.session
                    yield from ((session, ready) for ready in session.take(item))
        except StreamError:
            self._counts.unusable += 1
        if self.session is not None:
            session = self.session
            yield from ((session, ready) for ready in session.order.release())

    def flush(self) -> Iterator[tuple[Session, Item]]:
        """Yield the frames that wait."""
        if self.session is not None:
            session = self.session
            yield from ((session, ready) for ready in session.order.release(end=True))

    def _is_other(self, head: Chunk) -> bool:
        """Return whether a header is that of a stream to go over to."""
        if head.crc in self._left:
            raise StreamError("datagram: of a stream that another has taken the place of")
        return self.session is None or head.crc != self.session.seed

    def _start(self, head: Chunk) -> None:
        session = Session(head, self._counts, self._depth, _REMEMBERED)
        if session.header.version != LIVE_VERSION:
            raise StreamError("datagram: a header of version 1, which is for files")
        if self.session is not None:
            self._left.append(self.session.seed)
        self.session = session
        self._chain = Chain(session.header, _REMEMBERED)
        self._waiting.clear()

    def _key(self, chunk: Chunk) -> None:
        """Take in a segment that stands alone, and what has waited for it."""
        assert self.session is not None
        first, frames, _ = segment_start(self.session.header, chunk.payload)
        known = self._chain.linked(first + frames, 1)
        if known is not None and known.crc == chunk.crc:
            self._counts.repeated += 1
        elif self.session.add_segment(chunk):
            self._chain.add(first, Link(chunk.crc, frames))
            self._retry()

    def _continue(self, loose: Loose) -> None:
        """Take in a segment that continues another, and what has waited for it."""
        if self.session is None:
            return
        if self._decode(loose):
            self._retry()
        else:
            self._waiting.append(loose)

    def _decode(self, loose: Loose) -> bool:
        """Decode a segment that continues another; False where that one is not there."""
        assert self.session is not None
        newest = self.session.order.newest
        if newest is None:
            return False
        first = _nearest(loose.head.number or 0, loose.head.numbers, newest + 1)
        before = self._chain.linked(first, loose.head.back)
        if before is None:
            return False
        frames = loose.head.frames or before.frames
        if self._chain.linked(first + frames, 1) is not None:
            self._counts.repeated += 1
            return True
        chunk = self._chain.chunk(loose.head, first, loose.body, loose.check, 0)
        if chunk is None:
            return False
        self.session.add_segment(chunk)
        return True

    def _retry(self) -> None:
        """Decode what has waited, where it can be by now."""
        before = len(self._waiting) + 1
        while len(self._waiting) < before:
            before = len(self._waiting)
            for _ in range(before):
                loose = self._waiting.popleft()
                if not self._decode(loose):
                    self._waiting.append(loose)


def _nearest(number: int, numbers: int, to: int) -> int:
    """Return the whole number nearest to `to` that is `number` modulo `numbers`."""
    return to + (number - to + numbers // 2) % numbers - numbers // 2
