"""The loop of a sender: picture after picture to controls, to bytes, to the link."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

from facecodec.bitstream import FrameFlags
from facecodec.encoding.ahead import ahead
from facecodec.fit.quantising import FrameQuantiser
from facecodec.live.encoder import ControlsEncoder
from facecodec.live.meter import Meter, Took
from facecodec.live.outlet import Outlet
from facecodec.live.packet_encoder import PacketEncoder
from facecodec.live.reading import CaptureThread
from facecodec.live.settings import LiveSettings
from facecodec.live.speaker import Speaker
from facecodec.live.tracker import Look
from facecodec.types import Picture
from facecodec.video.capture import Heard
from facecodec.video.opus import OpusCoder

Link = ControlsEncoder | PacketEncoder
LOOKS_AHEAD = 1  # pictures that are looked at before they are tracked
WAIT_SECONDS = 0.1  # between looks at whether to stop, while nothing comes


@dataclass(frozen=True)
class SendStatus:
    """How a sender does at the moment.

    seconds since the beginning; frames so far, and those dropped; frames and kilobits a second, of
    late; coding: milliseconds from a picture to its bytes; face: whether the last picture shows the
    person; stage: how well they are known, see `Speaker`.
    """

    seconds: float
    frames: int
    dropped: int
    fps: float
    kbps: float
    coding: float | None
    face: bool
    stage: str


@dataclass(frozen=True)
class SendSummary:
    """What was sent.

    frames; those dropped because one before was still being worked on; those without a face; those
    that there was time for one step for, those whose motion was told without a render, and those
    sent like the one before for want of any; seconds; kilobits a second on the mean, without what
    the network puts around datagrams; datagrams; whether there was sound; capture_to_bytes: from a
    picture to its bytes; stages: when the person was first sent as well known as each says, in
    seconds after the first picture.
    """

    frames: int
    dropped: int
    no_face: int
    hurried: int
    predicted: int
    held: int
    seconds: float
    kbps: float
    datagrams: int
    audio: bool
    capture_to_bytes: Took | None
    stages: dict[str, float]


@dataclass(frozen=True)
class Taken:
    """A picture that is worked on: its time in seconds, when it came, and the sound up to it."""

    image: Picture
    time: Fraction
    came: float
    heard: list[Heard]


class Sender:
    """Takes pictures from a thread, and sends what trackers make of them.

    A picture is looked at, on another thread, while the one before is tracked. Where the person has
    come to be known better, another stream begins, which says that it takes the place of the last.
    """

    def __init__(
        self,
        thread: CaptureThread,
        opened: Callable[[Speaker, LiveSettings, tuple[int, int]], Link],
        coder: OpusCoder | None,
    ) -> None:
        """opened: begins a stream of a person, whose pictures have a width and height.

        coder: of the sound, None without.
        """
        self._thread, self._opened, self._coder = thread, opened, coder
        self._speaker: Speaker | None = None
        self._link: Link | None = None
        self._quantiser: FrameQuantiser | None = None
        self._meter, self._no_face = Meter(), 0
        self._face = False  # whether the last picture shows the person
        self._over = False  # whether no further picture is wanted
        self._begin: float | None = None  # when the first picture came
        self._stages: dict[str, float] = {}
        self._hurried = self._predicted = self._held = 0  # of trackers before this one

    def take(self, stop: threading.Event) -> Taken | None:
        """Return the next picture; None at the end, and when `stop` is set."""
        while not stop.is_set() and not self._over and not self._thread.ended:
            taken = self._thread.take(WAIT_SECONDS)
            if taken is not None:
                seen, came, heard = taken
                self._begin = self._begin or came
                return Taken(seen.picture(), seen.time, came, heard)
        self._thread.take(0)  # raises what reading has raised
        return None

    def run(
        self,
        first: Taken,
        speaker: Callable[[], Speaker],
        outlet: Outlet,
        stop: threading.Event,
        max_frames: int | None,
        watch: Callable[[SendStatus], None],
    ) -> None:
        """Send from the first picture on, and then the end of the stream.

        speaker: returns who it is, as well as is known.
        """
        self._meter = Meter()
        with closing(ahead(self._looks(first, speaker, stop), LOOKS_AHEAD)) as coming:
            try:
                for taken, who, look in coming:
                    if who is not self._speaker:
                        self._change(who, (taken.image.shape[1], taken.image.shape[0]), outlet)
                    self._send(taken, look, outlet)
                    watch(self.status())
                    if max_frames is not None and self._meter.frames >= max_frames:
                        break
            finally:
                self._over = True
        if self._link is not None:
            self._hear(self._thread.rest())
            if self._coder is not None:
                for packet in self._coder.flush():
                    self._link.push_audio(packet)
            outlet.finish(self._link.close())

    def _looks(
        self, first: Taken, speaker: Callable[[], Speaker], stop: threading.Event
    ) -> Iterator[tuple[Taken, Speaker, Look]]:
        """Yield the pictures and what is seen in them."""
        taken: Taken | None = first
        while taken is not None:
            who = speaker()
            yield taken, who, who.tracker.see(taken.image, float(taken.time))
            taken = self.take(stop)

    def _change(self, who: Speaker, size: tuple[int, int], outlet: Outlet) -> None:
        """Go over to a person who is known better, or to what tracks the same one better."""
        before, self._speaker = self._speaker, who
        if before is not None:
            self._hurried += before.tracker.hurried
            self._predicted += before.tracker.predicted
            self._held += before.tracker.dropped
            if before.person is who.person:
                return
        if self._link is not None:
            outlet.send(self._link.flush())
            person = replace(who.person, refines=self._link.header.stream_id)
            who = replace(who, person=person)
        settings = who.settings
        self._quantiser = None
        if who.quantiser is not None and settings.control_steps is None:
            self._quantiser = who.quantiser()
        if self._quantiser is not None:
            settings = replace(settings, control_steps=tuple(self._quantiser.steps.tolist()))
        self._link = self._opened(who, settings, size)

    def _send(self, taken: Taken, look: Look, outlet: Outlet) -> None:
        """Track a picture and send what comes of it."""
        assert self._speaker is not None and self._link is not None
        self._hear(taken.heard)
        tracked = self._speaker.tracker.track(look, taken.came)
        controls = tracked.controls
        if self._quantiser is not None:
            controls = self._quantiser(controls)
        data = self._link.push(controls, taken.time, tracked.flags, tracked.placement)
        size, datagrams = outlet.send(data)
        now = time.perf_counter()
        self._stages.setdefault(self._speaker.stage, round(now - (self._begin or now), 2))
        self._meter.took(now - taken.came)
        self._meter.add(frames=1, size=size, datagrams=datagrams)
        self._face = not tracked.flags & FrameFlags.NO_FACE
        self._no_face += not self._face

    def _hear(self, heard: list[Heard]) -> None:
        if self._coder is None or self._link is None:
            return
        for sound in heard:
            for packet in self._coder.add(sound.frames, sound.time):
                self._link.push_audio(packet)

    def status(self) -> SendStatus:
        """Return how it goes."""
        fps, kbps = self._meter.rates()
        stage = "" if self._speaker is None else self._speaker.stage
        return SendStatus(
            self._meter.seconds, self._meter.frames, self._thread.dropped, fps, kbps,
            self._meter.latest(), self._face, stage,
        )  # fmt: skip

    def summary(self) -> SendSummary:
        """Return what was sent."""
        took = max(self._meter.seconds, 1e-9)
        tracker = None if self._speaker is None else self._speaker.tracker
        return SendSummary(
            self._meter.frames,
            self._thread.dropped,
            self._no_face,
            self._hurried + (tracker.hurried if tracker else 0),
            self._predicted + (tracker.predicted if tracker else 0),
            self._held + (tracker.dropped if tracker else 0),
            round(took, 3),
            round(self._meter.bytes * 8e-3 / took, 2),
            self._meter.datagrams,
            self._coder is not None,
            self._meter.summary(),
            self._stages,
        )
