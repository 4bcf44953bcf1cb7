"""The loop of a sender: picture after picture to controls, to bytes, to the link."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

from facecodec.bitstream import FrameFlags
from facecodec.encoding.ahead import ahead
from facecodec.fit.quantising import FrameQuantiser
from facecodec.live.encoder import ControlsEncoder
from facecodec.live.meter import Meter, Took
from facecodec.live.outlet import Outlet
from facecodec.live.packet_encoder import PacketEncoder
from facecodec.live.reading import CaptureThread
from facecodec.live.tracker import Look, PersonTracker
from facecodec.types import Picture
from facecodec.video.capture import Heard
from facecodec.video.opus import OpusCoder

LOOKS_AHEAD = 1  # pictures that are looked at before they are tracked
WAIT_SECONDS = 0.1  # between looks at whether to stop, while nothing comes


@dataclass(frozen=True)
class SendStatus:
    """How a sender does at the moment.

    seconds since the beginning; frames so far, and those dropped; frames and kilobits a second, of
    late; coding: milliseconds from a picture to its bytes; face: whether the last picture shows the
    person.
    """

    seconds: float
    frames: int
    dropped: int
    fps: float
    kbps: float
    coding: float | None
    face: bool


@dataclass(frozen=True)
class SendSummary:
    """What was sent.

    frames; those dropped because one before was still being worked on; those without a face; those
    that there was time for one step for, and those sent like the one before for want of any;
    seconds; kilobits a second on the mean, without what the network puts around datagrams;
    datagrams; whether there was sound; capture_to_bytes: from a picture to its bytes.
    """

    frames: int
    dropped: int
    no_face: int
    hurried: int
    held: int
    seconds: float
    kbps: float
    datagrams: int
    audio: bool
    capture_to_bytes: Took | None


@dataclass(frozen=True)
class Taken:
    """A picture that is worked on: its time in seconds, when it came, and the sound up to it."""

    image: Picture
    time: Fraction
    came: float
    heard: list[Heard]


class Sender:
    """Takes pictures from a thread, and sends what a tracker makes of them.

    A picture is looked at, on another thread, while the one before is tracked.
    """

    def __init__(
        self,
        thread: CaptureThread,
        tracker: PersonTracker,
        coder: OpusCoder | None,
        quantiser: FrameQuantiser | None = None,
    ) -> None:
        """coder: of the sound, None without. quantiser: rounds controls; None: the link does."""
        self._thread, self._tracker, self._coder = thread, tracker, coder
        self._quantiser = quantiser
        self._meter, self._no_face = Meter(), 0
        self._over = False  # whether no further picture is wanted

    def take(self, stop: threading.Event) -> Taken | None:
        """Return the next picture; None at the end, and when `stop` is set."""
        while not stop.is_set() and not self._over and not self._thread.ended:
            taken = self._thread.take(WAIT_SECONDS)
            if taken is not None:
                seen, came, heard = taken
                return Taken(seen.picture(), seen.time, came, heard)
        self._thread.take(0)  # raises what reading has raised
        return None

    def run(
        self,
        first: Taken,
        link: ControlsEncoder | PacketEncoder,
        outlet: Outlet,
        stop: threading.Event,
        max_frames: int | None,
        watch: Callable[[SendStatus], None],
    ) -> None:
        """Send from the first picture on, and then the end of the stream."""
        self._meter = Meter()
        with closing(ahead(self._looks(first, stop), LOOKS_AHEAD)) as coming:
            try:
                for taken, look in coming:
                    self._send(taken, look, link, outlet, watch)
                    if max_frames is not None and self._meter.frames >= max_frames:
                        break
            finally:
                self._over = True
        self._hear(link, self._thread.rest())
        if self._coder is not None:
            for packet in self._coder.flush():
                link.push_audio(packet)
        outlet.finish(link.close())

    def _looks(self, first: Taken, stop: threading.Event) -> Iterator[tuple[Taken, Look]]:
        """Yield the pictures and what is seen in them."""
        taken: Taken | None = first
        while taken is not None:
            yield taken, self._tracker.see(taken.image, float(taken.time))
            taken = self.take(stop)

    def _send(
        self,
        taken: Taken,
        look: Look,
        link: ControlsEncoder | PacketEncoder,
        outlet: Outlet,
        watch: Callable[[SendStatus], None],
    ) -> None:
        """Track a picture and send what comes of it."""
        self._hear(link, taken.heard)
        tracked = self._tracker.track(look)
        controls = tracked.controls
        if self._quantiser is not None:
            controls = self._quantiser(controls)
        data = link.push(controls, taken.time, tracked.flags, tracked.placement)
        size, datagrams = outlet.send(data)
        self._meter.took(time.perf_counter() - taken.came)
        self._meter.add(frames=1, size=size, datagrams=datagrams)
        face = not tracked.flags & FrameFlags.NO_FACE
        self._no_face += not face
        watch(self.status(face))

    def _hear(self, link: ControlsEncoder | PacketEncoder, heard: list[Heard]) -> None:
        if self._coder is None:
            return
        for sound in heard:
            for packet in self._coder.add(sound.frames, sound.time):
                link.push_audio(packet)

    def status(self, face: bool) -> SendStatus:
        """Return how it goes."""
        fps, kbps = self._meter.rates()
        return SendStatus(
            self._meter.seconds, self._meter.frames, self._thread.dropped, fps, kbps,
            self._meter.latest(), face,
        )  # fmt: skip

    def summary(self) -> SendSummary:
        """Return what was sent."""
        took = max(self._meter.seconds, 1e-9)
        return SendSummary(
            self._meter.frames,
            self._thread.dropped,
            self._no_face,
            self._tracker.hurried,
            self._tracker.dropped,
            round(took, 3),
            round(self._meter.bytes * 8e-3 / took, 2),
            self._meter.datagrams,
            self._coder is not None,
            self._meter.summary(),
        )
