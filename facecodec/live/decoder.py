"""Bytes in, frames out: of a live stream, a segment at a time, whatever the link has lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import AudioPacket, AudioParameters, FrameFlags, FrameRecord, StreamHeader
from facecodec.errors import UsageError
from facecodec.live.datagrams import DatagramLink
from facecodec.live.link import LinkCounts, Session
from facecodec.live.stream import StreamLink
from facecodec.types import Controls

DEFAULT_DEPTH = 2  # frames that a datagram may be late, at 30 frames a second 67 ms
MAX_DEPTH = 240
_MAX_KEPT_AUDIO = 4096  # packets, before the oldest are dropped


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """One frame as it is shown.

    index: its number, as the sender counts. time: in seconds, on the sender's clock. controls:
    float32 [K]. placement: [4] centre x, y and side in source pixels, angle in radians, or None.
    flags: NO_FACE, LOW_CONFIDENCE. recovered: the frame was lost, and these values, between those
    of its neighbours, stand in for it. stream_id: of its stream, another one when the sender has
    begun again, and with it indices and times.
    """

    index: int
    time: Fraction
    controls: Controls
    placement: NDArray[np.float32] | None
    flags: FrameFlags
    recovered: bool
    stream_id: bytes


class Decoder:
    """Bytes in, frames out.

        decoder = Decoder()
        for frame in decoder.feed(data):
            show(frame.controls, frame.time)

    On a pipe `feed` takes bytes as they come, cut anywhere; a stream may be entered in its middle.
    With `datagrams` it takes one datagram a call. What is lost is bridged, and the frames say so;
    what is damaged, of another stream or hostile gives no frames, and is counted in `counts`.
    Memory is bounded: a frame is given out as soon as it is its turn, on a datagram link at the
    latest when one has come that is `depth` frames younger. Safe to call from several threads.
    """

    def __init__(self, *, datagrams: bool = False, depth: int | None = None) -> None:
        """Prepare a decoder. depth: 0 to 240 frames; 2 with datagrams, 0 without, when None.

        Raises UsageError for another depth.
        """
        if depth is None:
            depth = DEFAULT_DEPTH if datagrams else 0
        if not 0 <= depth <= MAX_DEPTH:
            raise UsageError(f"a depth of {depth} frames; allowed is 0 to {MAX_DEPTH}")
        self.counts = LinkCounts()
        self._audio: deque[AudioPacket] = deque(maxlen=_MAX_KEPT_AUDIO)
        made = DatagramLink if datagrams else StreamLink
        self._link: DatagramLink | StreamLink = made(self.counts, depth)
        self._lock = threading.Lock()

    @property
    def header(self) -> StreamHeader | None:
        """Return the header of the stream, None before it has come."""
        session = self._link.session
        return None if session is None else session.header

    @property
    def identity(self) -> bytes | None:
        """Return the payload of the identity's chunk, None before it has come."""
        session = self._link.session
        return None if session is None else session.preamble.identity_payload

    @property
    def identity_reference(self) -> bytes | None:
        """Return the SHA-256 of the `.fci` file that holds the identity, None without."""
        session = self._link.session
        return None if session is None else session.preamble.identity_reference

    @property
    def tuning(self) -> bytes | None:
        """Return the tuning, None before all of it has come, or where there is none."""
        session = self._link.session
        return None if session is None else session.preamble.tuning

    @property
    def refines(self) -> bytes | None:
        """Return the id of the stream whose place this one takes: the person is the same one.

        None before the header has come, and where there is none.
        """
        session = self._link.session
        return None if session is None else session.refines

    @property
    def has_person(self) -> bool:
        """Whether all of the person has come, as far as the header says what there is."""
        session = self._link.session
        return session is not None and session.has_person

    @property
    def audio(self) -> AudioParameters | None:
        """Return the parameters of the audio, None before they came, or where there is none."""
        session = self._link.session
        return None if session is None else session.preamble.audio

    @property
    def ended(self) -> bool:
        """Whether the sender has said that the stream is over."""
        session = self._link.session
        return session is not None and session.ended

    def feed(self, data: bytes) -> list[LiveFrame]:
        """Take bytes, or one datagram; return the frames whose turn it is, in order.

        Raises StreamError for a stream of a version that this program does not read, or that needs
        a critical chunk it does not know; a datagram of that kind is left out and counted instead.
        """
        with self._lock:
            return list(self._frames(self._link.feed(bytes(data))))

    def flush(self) -> list[LiveFrame]:
        """Return the frames that wait for others, as at the end of a link that is silent."""
        with self._lock:
            return list(self._frames(self._link.flush()))

    def packets(self) -> list[AudioPacket]:
        """Return the audio packets that have come since the last call, as they came."""
        with self._lock:
            taken = list(self._audio)
            self._audio.clear()
            return taken

    def _frames(
        self, items: Iterable[tuple[Session, FrameRecord | AudioPacket]]
    ) -> Iterator[LiveFrame]:
        for session, item in items:
            if isinstance(item, AudioPacket):
                self._audio.append(item)
                continue
            yield LiveFrame(
                item.index,
                item.pts * session.header.time_base,
                item.controls,
                item.placement,
                item.flags,
                item.recovered,
                session.header.stream_id,
            )
