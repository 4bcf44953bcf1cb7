"""The loop of a receiver: what arrives to frames, to pictures, to the output, in their order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from facecodec.live.arrivals import Arrivals, Arrived
from facecodec.live.decoder import LiveFrame
from facecodec.live.easing import Easing
from facecodec.live.meter import Meter, Took
from facecodec.live.pictures import PictureDecoder
from facecodec.live.playout import Playout
from facecodec.live.screen import Screen

WAIT_SECONDS = 0.1  # between looks at whether to stop, while nothing comes
GRACE_SECONDS = 0.2  # after the end has come, for frames that it overtook
# Where a younger frame waits, a frame that is late is sketched (`Easing`), and where that does not
# help, one that is so late is dropped.
TOO_LATE_SECONDS = 0.08
# A person who is new takes longer to draw, once: for a while frames may be so late instead, and are
# sketched until that is made up for.
NEW_PERSON_SECONDS, TOO_LATE_THEN_SECONDS = 2.0, 0.4


@dataclass(frozen=True)
class ReceiveStatus:
    """How a receiver does at the moment.

    seconds since the first datagram; pictures so far, and frames not drawn for want of time;
    pictures and kilobits a second, of late; lost: the share of frames that were lost; drawing:
    milliseconds from bytes to a picture; sharpness: the side in pixels at which pictures are
    sketched at the moment, None while they are whole; stage: who is seen, see `PictureDecoder`.
    """

    seconds: float
    pictures: int
    dropped: int
    fps: float
    kbps: float
    lost: float
    drawing: float | None
    sharpness: int | None
    stage: str


@dataclass(frozen=True)
class ReceiveSummary:
    """What was received and shown.

    pictures; of them, those of frames that were lost, made up between their neighbours, those drawn
    less sharply because whole ones took too long, and of these the least sharp (`quick`); frames
    not drawn for want of time, and lost without anything in their place; frames that came too late;
    datagrams, and those that were of no use; seconds; kilobits a second on the mean; whether the
    output has sound; bytes_to_picture: from a frame's bytes until it was drawn, the depth that
    was asked for included; ended: by 'the sender', 'silence', 'the reader' or 'a stop'.
    """

    pictures: int
    recovered: int
    sketched: int
    quick: int
    dropped: int
    missing: int
    late: int
    datagrams: int
    unusable: int
    seconds: float
    kbps: float
    audio: bool
    bytes_to_picture: Took | None
    ended: str


@dataclass(frozen=True)
class Limits:
    """When a receiver stops by itself, and what it drops.

    silence: seconds without anything, after something came, None for ever. max_frames: pictures,
    None for any number. every: draw every frame, however late.
    """

    silence: float | None = None
    max_frames: int | None = None
    every: bool = False


class Receiver:
    """Decodes and draws what arrives, and shows it when it is due."""

    def __init__(
        self, arrivals: Arrivals, viewer: PictureDecoder, screen: Screen, playout: Playout | None
    ) -> None:
        """playout: says when frames are due; None shows each at once."""
        self._arrivals, self._viewer, self._screen = arrivals, viewer, screen
        self._playout = playout
        self._waiting: deque[tuple[LiveFrame, float]] = deque()  # and when its bytes came
        self._meter, self._recovered, self._dropped, self._foreign = Meter(), 0, 0, 0
        self._host: str | None = None
        self._stream = b""
        self._last = time.perf_counter()  # when something came
        self._easing = Easing()
        self._shown: tuple[bytes, str] | None = None  # stream and stage of the person shown
        self._new_until = 0.0  # how long the person counts as new
        self._ended = "a stop"

    def run(
        self, stop: threading.Event, limits: Limits, watch: Callable[[ReceiveStatus], None]
    ) -> None:
        """Show what comes until the sender, the reader, a limit or `stop` ends it."""
        while not stop.is_set():
            self._take(self._patience())
            if self._next_is_due():
                if not self._show(limits.every):
                    return
                watch(self.status())
                if limits.max_frames is not None and self._meter.frames >= limits.max_frames:
                    return
            elif not self._waiting and self._is_over(limits.silence):
                return

    def _patience(self) -> float:
        """Return the seconds to wait for what comes next."""
        if not self._waiting:
            return WAIT_SECONDS
        return min(self._due(*self._waiting[0]) - time.perf_counter(), WAIT_SECONDS)

    def _due(self, frame: LiveFrame, came: float) -> float:
        return came if self._playout is None else self._playout.due(float(frame.time))

    def _next_is_due(self) -> bool:
        return bool(self._waiting) and self._due(*self._waiting[0]) <= time.perf_counter()

    def _take(self, patience: float) -> None:
        """Decode all that has come."""
        for arrived in self._arrivals.take(patience):
            self._last = arrived.time
            if self._host is not None and arrived.host != self._host:
                self._foreign += 1
                continue
            if not self._meter.bytes:
                self._meter = Meter()  # counts from the first datagram on
            self._meter.add(size=len(arrived.data), datagrams=1)
            self._decode(arrived)
        if self._arrivals.ended:
            self._add(self._viewer.decoder.flush(), time.perf_counter())

    def _decode(self, arrived: Arrived) -> None:
        decoder = self._viewer.decoder
        self._add(decoder.feed(arrived.data), arrived.time)
        if decoder.header is not None and arrived.host:
            self._host = arrived.host
        for packet in decoder.packets():
            self._screen.hear(packet)

    def _add(self, frames: list[LiveFrame], came: float) -> None:
        for frame in frames:
            if self._playout is not None:
                if frame.stream_id != self._stream:
                    self._playout.restart()
                self._playout.arrived(float(frame.time), came)
            self._stream = frame.stream_id
            self._waiting.append((frame, came))

    def _is_over(self, silence: float | None) -> bool:
        quiet = time.perf_counter() - self._last
        over = self._viewer.decoder.ended and quiet > GRACE_SECONDS
        if over and (rest := self._viewer.decoder.flush()):
            self._add(rest, time.perf_counter())
            return False
        if over or self._arrivals.ended:
            self._ended = "the sender"
        elif silence is not None and self._meter.bytes and quiet > silence:
            self._ended = "silence"
        else:
            return False
        return True

    def _show(self, every: bool) -> bool:
        """Draw the next frame that is still worth it; False when the reader is gone."""
        now, level = time.perf_counter(), 0
        frame, came = self._waiting.popleft()
        if not every:
            level = self._easing.level(now, self._waits_since(frame, came, now))
            too_late = TOO_LATE_THEN_SECONDS if now < self._new_until else TOO_LATE_SECONDS
            while self._waits_since(frame, came, now) > too_late:
                self._dropped += 1
                frame, came = self._waiting.popleft()
        picture = self._viewer.draw(frame, level)
        shown = frame.stream_id, self._viewer.stage
        if shown != self._shown:
            self._shown, self._new_until = shown, time.perf_counter() + NEW_PERSON_SECONDS
        self._meter.took(time.perf_counter() - came)
        decoder = self._viewer.decoder
        assert decoder.header is not None
        try:
            self._screen.show(picture, frame, decoder.header, decoder.audio)
        except BrokenPipeError:
            self._ended = "the reader"
            return False
        self._recovered += frame.recovered
        self._meter.add(frames=1)
        return True

    def _waits_since(self, frame: LiveFrame, came: float, now: float) -> float:
        """Return the seconds that a frame is late; 0 where no younger one waits."""
        return now - self._due(frame, came) if self._waiting else 0.0

    def status(self) -> ReceiveStatus:
        """Return how it goes."""
        fps, kbps = self._meter.rates()
        counts = self._viewer.decoder.counts
        total = counts.frames + counts.recovered + counts.skipped
        lost = (counts.recovered + counts.skipped) / max(total, 1)
        return ReceiveStatus(
            self._meter.seconds, self._meter.frames, self._dropped, fps, kbps, lost,
            self._meter.latest(), self._viewer.sharpness, self._viewer.stage,
        )  # fmt: skip

    def summary(self) -> ReceiveSummary:
        """Return what was received."""
        counts, took = self._viewer.decoder.counts, max(self._last_seconds(), 1e-9)
        return ReceiveSummary(
            self._meter.frames, self._recovered, self._viewer.sketches, self._viewer.quick_sketches,
            self._dropped,
            counts.skipped, counts.late,
            self._meter.datagrams, counts.unusable + self._foreign, round(took, 3),
            round(self._meter.bytes * 8e-3 / took, 2), self._screen.has_audio,
            self._meter.summary(), self._ended,
        )  # fmt: skip

    def _last_seconds(self) -> float:
        """Return the seconds from the first datagram to the last."""
        return self._meter.seconds - (time.perf_counter() - self._last)
