"""Controls in, bytes out: a live stream for a pipe, or datagrams, a segment at a time."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import AudioPacket, AudioParameters, FrameFlags, StreamHeader
from facecodec.bitstream.coding.segment import Segment
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.audio import (
    check_packet,
    pack_audio_parameters,
    pack_packets,
)
from facecodec.bitstream.container.chunks import CRC_BYTES, Chunk, pack_chunk
from facecodec.bitstream.container.continued import (
    ContinuedChunk,
    pack_in_stream,
)
from facecodec.bitstream.container.segments import SegmentEncoder
from facecodec.bitstream.fields import FieldWriter
from facecodec.bitstream.limits import STREAM_ID_BYTES
from facecodec.errors import UsageError
from facecodec.live.delivery import Delivery
from facecodec.live.frames import FrameQueue
from facecodec.live.person import LivePerson
from facecodec.live.settings import LiveSettings
from facecodec.types import Controls

MAX_SHARE = 30  # segments' shares of the person that go at once, after a pause
_MAX_QUEUED_AUDIO = 512  # packets that wait for a segment
Out = TypeVar("Out")


class LiveEncoder(ABC, Generic[Out]):
    """What encoders to a pipe and to datagrams share. `Out` is what a call returns."""

    def __init__(
        self,
        header: StreamHeader,
        person: LivePerson,
        audio: AudioParameters | None = None,
        settings: LiveSettings | None = None,
        stream_id: bytes | None = None,
    ) -> None:
        """Prepare a stream.

        header: of the stream; it becomes one of version 2. person: who is in it. audio: the
        parameters of its sound. stream_id: 8 bytes, for the same bytes from run to run; random
        ones when None. Raises UsageError for exact precisions, which are for files.
        """
        if header.precision != "quantised":
            raise UsageError(f"a live stream is quantised, not {header.precision}")
        self.settings = settings or self._usual_settings()
        self.header = replace(
            header,
            stream_id=stream_id or _random_id(),
            key_frames=self.settings.key_frames,
        )
        self._head = pack_chunk(chunks.STREAM_MAGIC, self.header.pack(), 0)
        self._seed = int.from_bytes(self._head[-CRC_BYTES:], "little")
        known = list(person.chunks())
        if audio is not None:
            known.insert(0, (chunks.AUDIO_PARAMETERS, pack_audio_parameters(audio)))
        self._delivery = Delivery(known, self.settings)
        self._frames = FrameQueue(self.header, self.settings.slack_steps)
        self._segments = SegmentEncoder(self.header, self._seed, self.settings.key_frames)
        self._has_audio = audio is not None
        self._audio: deque[AudioPacket] = deque()
        self._packets = 0  # of audio, sent
        self._keys = 0
        self._started = self._closed = False
        self._last_pts: int | None = None  # of the last segment's last frame
        # The last segments, the oldest first, in a form that says everything.
        self._copies: deque[bytes] = deque(maxlen=self.settings.copies)
        self._lock = threading.Lock()

    @staticmethod
    def _usual_settings() -> LiveSettings:
        return LiveSettings()

    @property
    def frames(self) -> int:
        """Return the number of frames pushed so far."""
        return self._frames.count

    def push(
        self,
        controls: Controls,
        time: Fraction | float,
        flags: FrameFlags | int = 0,
        placement: NDArray[np.floating] | None = None,
    ) -> Out:
        """Take a frame; return what is ready to be sent.

        controls: float32 [K], finite, in standard deviations over the generator's faces. time: in
        seconds on any clock, later than that of the frame before; a Fraction is taken exactly.
        flags: of FrameFlags. placement: [4], centre x, y and side of the face's square in source
        pixels, angle in radians. Safe to call from several threads, one frame after the other.
        Raises UsageError for a time that does not rise and for numbers that a stream cannot carry;
        the frame is then left out.
        """
        with self._lock:
            self._refuse_closed()
            self._frames.add(controls, time, int(flags), placement)
            ready = len(self._frames) >= self.settings.segment_frames
            return self._out(self._segment() if ready else ())

    def push_audio(self, packet: AudioPacket) -> None:
        """Take a coded packet of audio; it is sent with the next segment.

        Raises UsageError without parameters of audio, and when packets come without any frames.
        """
        with self._lock:
            self._refuse_closed()
            if not self._has_audio:
                raise UsageError("an encoder without parameters of audio takes no packets")
            if len(self._audio) >= _MAX_QUEUED_AUDIO:
                raise UsageError(f"{_MAX_QUEUED_AUDIO} audio packets without a frame between them")
            check_packet(packet)
            self._audio.append(packet)

    def request_key(self) -> None:
        """Have the next segment stand alone: somebody has lost one, or comes late."""
        with self._lock:
            self._segments.restart()

    def request_person(self) -> None:
        """Have the person sent again from the next segment on."""
        with self._lock:
            self._delivery.restart()

    def flush(self) -> Out:
        """Return the frames that wait for a whole segment, as a shorter one."""
        with self._lock:
            self._refuse_closed()
            return self._out(self._segment() if len(self._frames) else ())

    def close(self) -> Out:
        """Return what is left, and the end of the stream; nothing can be pushed afterwards."""
        with self._lock:
            self._refuse_closed()
            self._closed = True
            return self._out(self._end())

    def _refuse_closed(self) -> None:
        if self._closed:
            raise UsageError("the live stream is closed")

    def _segment(self) -> Iterator[Chunk]:
        """Yield the chunks that go with the frames that wait, and theirs."""
        segment = self._frames.take()
        frame = self._segments.encode(segment)
        again = self.settings.header_keys
        if frame.type == chunks.SEGMENT:
            if not self._started or (again and self._keys % again == 0):
                yield Chunk(0, chunks.STREAM_MAGIC, b"")
            self._keys += 1
        self._started = True
        yield from self._delivery.take(len(segment), self._share(segment))
        yield from self._sound()
        yield frame

    def _share(self, segment: Segment) -> int:
        """Return how many segments' time has gone by: frames that the source left out count."""
        last, self._last_pts = self._last_pts, int(segment.pts[-1])
        if last is None or self.header.frame_rate is None:
            return 1
        passed = (self._last_pts - last) * self.header.time_base * self.header.frame_rate
        return min(max(round(passed / self.settings.segment_frames), 1), MAX_SHARE)

    def _sound(self) -> Iterator[Chunk]:
        if self._audio:
            packets = list(self._audio)
            self._audio.clear()
            for group in self._grouped(packets):
                yield Chunk(0, chunks.AUDIO, pack_packets(self._packets, group))
                self._packets += len(group)

    def _grouped(self, packets: list[AudioPacket]) -> Iterable[list[AudioPacket]]:
        return [packets]

    def _end(self) -> Iterator[Chunk]:
        if len(self._frames):
            yield from self._segment()
        if self._started:
            yield from self._delivery.rest()
            yield from self._sound()
            counts = FieldWriter().varint(self._frames.count).varint(self._packets)
            yield Chunk(0, chunks.END, bytes(counts.data))

    def _pack(self, chunk: Chunk) -> bytes:
        """Return the bytes of a chunk other than a continued one."""
        if chunk.type == chunks.STREAM_MAGIC:
            return self._head
        return pack_chunk(chunk.type, chunk.payload, self._seed)

    @abstractmethod
    def _out(self, made: Iterable[Chunk]) -> Out:
        """Return chunks in the form of this link."""


class ControlsEncoder(LiveEncoder[bytes]):
    """Controls in, the bytes of a `.fcv` stream of version 2 out, for a pipe or a file.

        encoder = ControlsEncoder(header, person)
        pipe.write(encoder.push(controls, time))
        ...
        pipe.write(encoder.close())

    Holds no more than the frames of one segment and the audio that waits for it; with segments of
    one frame each frame is in the bytes that its `push` returns.
    """

    _before = 0  # frames of the last segment

    def _out(self, made: Iterable[Chunk]) -> bytes:
        out = bytearray()
        for chunk in made:
            if isinstance(chunk, ContinuedChunk):
                out += pack_in_stream(chunk, self._before)
                self._before = chunk.frames
                continue
            if chunk.type == chunks.SEGMENT:
                self._before = self._frames.taken
            out += self._pack(chunk)
        return bytes(out)


def _random_id() -> bytes:
    while not any(made := os.urandom(STREAM_ID_BYTES)):
        pass  # pragma: no cover
    return made
