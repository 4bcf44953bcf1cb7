"""A link that keeps bytes and their order, such as a pipe or TCP; it may be joined late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, cast

from facecodec.bitstream import AudioPacket, Damage, FrameRecord
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunk_reader import ChunkReader
from facecodec.bitstream.container.chunks import STREAM_MAGIC, Chunk
from facecodec.bitstream.container.continued import Chain
from facecodec.bitstream.limits import LIVE_VERSION, MAX_HEADER
from facecodec.errors import StreamError
from facecodec.live.link import LinkCounts, Session

_MOST_AROUND_HEADER = 16  # bytes of a header's chunk beside its payload
Item = FrameRecord | AudioPacket


class _Arrived:
    """A file object of the bytes that have come."""

    def __init__(self) -> None:
        self.data = bytearray()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises BlockingIOError where there is none."""
        if not self.data:
            raise BlockingIOError("no bytes have come")
        part = bytes(self.data[:size])
        del self.data[:size]
        return part


class StreamLink:
    """Finds the header in what comes, then reads chunk after chunk."""

    def __init__(self, counts: LinkCounts, depth: int) -> None:
        self.session: Session | None = None
        self._counts = counts
        self._depth = depth
        self._arrived = _Arrived()
        self._reader: ChunkReader | None = None

    def feed(self, data: bytes) -> Iterator[tuple[Session, Item]]:
        """Take bytes; yield what they make ready."""
        self._arrived.data += data
        while True:
            if self._reader is None and not self._begin():
                return
            assert self._reader is not None and self.session is not None
            try:
                item = self._reader.take()
            except BlockingIOError:
                return
            if item is None:
                return
            if isinstance(item, Damage):
                self._counts.unusable += 1
            elif item.type == STREAM_MAGIC and item.crc != self.session.seed:
                yield from self._over()
                self._start(item)
            else:
                session = self.session
                yield from ((session, ready) for ready in session.take(item))
                if item.type == chunks.END:
                    # What follows may be another stream.
                    self._arrived.data[:0] = self._reader.buffer
                    self._reader = None

    def flush(self) -> Iterator[tuple[Session, Item]]:
        """Yield the frames that wait."""
        if self.session is not None:
            session = self.session
            yield from ((session, ready) for ready in session.order.release(end=True))

    def _over(self) -> Iterator[tuple[Session, Item]]:
        yield from self.flush()

    def _begin(self) -> bool:
        """Look for a header; False where more bytes are needed."""
        data = self._arrived.data
        while True:
            at = data.find(STREAM_MAGIC)
            if at < 0:
                del data[: max(len(data) - len(STREAM_MAGIC) + 1, 0)]
                return False
            del data[:at]
            trial = _Arrived()
            trial.data += data[: MAX_HEADER + _MOST_AROUND_HEADER]
            reader = ChunkReader(cast(BinaryIO, trial))
            try:
                head = reader.header(STREAM_MAGIC, "the live stream")
            except BlockingIOError:
                if len(data) < MAX_HEADER + _MOST_AROUND_HEADER:
                    return False
                del data[: len(STREAM_MAGIC)]
            except StreamError:
                del data[: len(STREAM_MAGIC)]
            else:
                del data[: head.size]
                self._reader = ChunkReader(cast(BinaryIO, self._arrived), seed=head.crc)
                self._reader.live = True
                self._start(head)
                return True

    def _start(self, head: Chunk) -> None:
        """Begin a stream. Raises StreamError for a header that cannot be read."""
        assert self._reader is not None
        self.session = Session(head, self._counts, self._depth)
        self._reader.seed = head.crc
        live = self.session.header.version == LIVE_VERSION
        self._reader.chain = Chain(self.session.header) if live else None
