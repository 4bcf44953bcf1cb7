"""What a puppet does in each of its frames, and the clock that these are on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import AudioPacket, FrameRecord, StreamReader
from facecodec.decoding.cut import no_frames
from facecodec.decoding.rewrite import with_controls
from facecodec.errors import UsageError
from facecodec.progress import Progress
from facecodec.puppetry.driver import Driver
from facecodec.puppetry.head_motion import head_moves, places_of
from facecodec.puppetry.look import away_from_usual
from facecodec.puppetry.output import Scene
from facecodec.puppetry.retarget import (
    How,
    Performance,
    at_rest,
    copied,
    nearest_to_zero,
    pose_between,
    rest_at,
    retargeted,
    source_rest,
)
from facecodec.puppetry.strength import Strengths
from facecodec.puppetry.timeline import Timeline, lay_out, with_sound
from facecodec.types import Controls, Floats


@dataclass(frozen=True)
class Stage:
    """A driver, and a source that keeps its motion where there is one.

    driven: the controls [N, K] of the driver's frames. source: the stream of a source that keeps
    its motion, kept: its frames, timeline: those of the puppet. Without, the puppet has the
    driver's frames.
    """

    moving: Driver
    driven: Controls
    source: StreamReader | None = None
    kept: tuple[FrameRecord, ...] = ()
    timeline: Timeline | None = None

    @classmethod
    def of(
        cls, moving: Driver, max_frames: int | None, source: StreamReader | None, beyond: str
    ) -> Stage:
        """Return the stage of the driver's first frames. Raises StreamError where it has none."""
        driven = moving.controls(max_frames)
        if source is None:
            return cls(moving, driven)
        frames = list(source.frames())
        if not frames:
            raise no_frames(source, None, None)
        pts = [frame.pts for frame in moving.stream.frames()][: len(driven)]
        here, there = (source.header, [f.pts for f in frames]), (moving.stream.header, pts)
        timeline = lay_out(here, there, beyond)
        kept = tuple(timeline.frames(frames))
        return cls(moving, driven, source, kept, timeline)

    @property
    def own(self) -> Controls | None:
        """Return the source's own controls [T, K] in the puppet's frames."""
        return np.stack([frame.controls for frame in self.kept]) if self.kept else None

    @property
    def driver_frames(self) -> list[int]:
        """Return the number of the driver's frame in each of the puppet's."""
        if self.timeline is None:
            return list(range(len(self.driven)))
        return [int(place) for place in self.timeline.driver]

    def along(self, rows: Controls | Floats) -> Floats:
        """Return rows of the driver's frames [N, ...] in the puppet's frames, [T, ...]."""
        exact = rows.astype(np.float64)
        return exact if self.timeline is None else self.timeline.driven(exact)

    @property
    def source_frames(self) -> list[int]:
        """Return the number of the source's frame in each of the puppet's; it keeps its motion."""
        return [] if self.timeline is None else [int(number) for number in self.timeline.source]

    def head_moves(self, rest: int, strength: float) -> Floats:
        """Return how the driver's head moves from frame `rest`, in the puppet's frames, [T, 4].

        See `facecodec.puppetry.head_motion.head_moves`.
        """
        frames = list(islice(self.moving.stream.frames(), len(self.driven)))
        return self.along(head_moves(places_of(frames), rest, strength))

    def scene(self, who: Avatar, controls: Controls, sound: str) -> Scene:
        """Return the puppet's frames with their controls [T, K], and the sound of one of the two.

        sound: "driver", "source" or "none". Sound begins with the first frame.
        """
        moving = self.moving.stream
        if self.source is None:
            heard = moving.audio if sound == "driver" else None
            items = moving.items(audio=heard is not None)
            return Scene(who, moving, with_controls(items, controls), heard, len(controls))
        frames = [replace(f, controls=c) for f, c in zip(self.kept, controls, strict=True)]
        chosen = {"driver": moving, "source": self.source}.get(sound)
        heard = chosen.audio if chosen else None
        packets: list[AudioPacket] = []
        begin = None
        if chosen is not None and heard is not None:
            packets = list(chosen.audio_packets())
            first = next(iter(chosen.frames()))
            begin = heard, first.pts * chosen.header.time_base
        items = with_sound(frames, self.source.header, packets, begin)
        return Scene(who, self.source, items, heard, len(frames))


class Moved(NamedTuple):
    """A puppet's controls [T, K], the driver's frame at rest, and whether landmarks led it."""

    controls: Controls
    rest_frame: int
    followed: bool


def directed(
    who: Avatar,
    driver: Avatar,
    stage: Stage,
    strengths: Strengths,
    how: How,
    progress: Progress,
) -> Moved:
    """Return what the source `who` does, led by the driver's face or by its controls.

    driver: the person whom the driver's controls move. Raises NoFaceError where the driver shows
    none, UsageError for a rest that there is not.
    """
    driven = stage.driven
    if how.rest is not None and how.rest >= len(driven):
        raise UsageError(
            f"frame {how.rest} cannot be the driver's rest: it has frames 0 to {len(driven) - 1}",
            argument="rest",
        )
    frame, nearest = nearest_to_zero(stage.moving.stream)
    if how.rest is not None:
        frame, nearest = how.rest, driven[how.rest]
    if how.retarget:
        done, looks = stage.moving.face(driver, driven, progress)
        rest = at_rest(driven, done) if how.rest is None else rest_at(how.rest, driven, done)
        if rest is not None:
            shown = stage.along(driven).astype(np.float32)
            away = stage.along(away_from_usual(looks))
            performance = Performance(shown, stage.along(done), rest, away)
            controls = retargeted(who, performance, strengths, how, stage.own, progress)
            if controls is not None:
                return Moved(controls, rest.frame, True)
    shift = pose_between(who, driver) if how.absolute else -nearest
    shown = stage.along(driven).astype(np.float32)
    controls = copied(who, shown, shift, strengths, stage.own)
    if stage.own is None:
        controls += source_rest(who, how).astype(np.float32)
    return Moved(controls, frame, False)
