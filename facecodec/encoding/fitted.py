"""A clip fitted: its person, sought or known, and how they move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facecodec.avatar.avatar import Avatar
from facecodec.clip.clip import Clip
from facecodec.encoding.checkpoint import kept_person
from facecodec.encoding.live_clip import track_live
from facecodec.encoding.motion import Motion, track_clip
from facecodec.encoding.parts import WHOLE, Parts
from facecodec.encoding.person import Enrolment, find_person, follow_wanted, known_person
from facecodec.encoding.presets import Preset
from facecodec.encoding.summary import Stages
from facecodec.encoding.tuning import tune_person
from facecodec.models import FaceModel, load_likeness
from facecodec.progress import Progress


def nobody_told(_: Avatar) -> None:
    """Tell nobody who was found."""


@dataclass(frozen=True)
class Fitted:
    """The person of a clip, what the encoder learnt of them, and their motion."""

    avatar: Avatar
    enrolment: Enrolment
    motion: Motion


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a clip is fitted, and who is told how far it is.

    tune, id_frame, any_face: see `facecodec.encode`. parts: of the tracking. found: called with a
    person who was sought, before they are tracked.
    """

    models: FaceModel
    plan: Preset
    tune: str
    id_frame: int | None
    stages: Stages
    progress: Progress
    any_face: bool = False
    found: Callable[[Avatar], None] = nobody_told
    parts: Parts = WHOLE

    def stranger(self, clip: Clip) -> Fitted:
        """Return a clip's person, who is sought in it, and their motion."""
        self._see(clip, None, "")
        avatar, enrolment = self.person(clip)
        self.found(avatar)
        return self._tracked(clip, avatar, enrolment)

    def known(self, clip: Clip, avatar: Avatar, name: str) -> Fitted:
        """Return a known person's motion in a clip; `name` is that of the person's file."""
        if self.plan.live:  # the clip is read once, as it comes, and is scanned afterwards
            motion = self._motion_as_it_comes(clip, avatar)
            return Fitted(avatar, known_person(clip, avatar, self.id_frame), motion)
        self._see(clip, avatar, name)
        return self._tracked(clip, avatar, known_person(clip, avatar, self.id_frame))

    def person(self, clip: Clip) -> tuple[Avatar, Enrolment]:
        """Return the person whom a clip shows, tuned as is wanted."""
        models, plan, likeness = self.models, self.plan, load_likeness(self.models.generator)
        untuned = kept_person(
            "inversion",
            models,
            lambda: find_person(clip, models, plan, self.id_frame, likeness, self.progress),
        )
        self.stages.end("inversion")
        if self.tune == "none":
            return untuned
        tuned = kept_person(
            "tuning",
            models,
            lambda: tune_person(clip, *untuned, plan, self.tune, likeness, self.progress),
        )
        self.stages.end("tuning")
        return tuned

    def _see(self, clip: Clip, known: Avatar | None, name: str) -> None:
        """Look at all frames, and follow the person who is wanted."""
        follow_wanted(clip, known, self.id_frame, name, self.any_face)
        _ = clip.scan  # sought where it is first asked for
        self.stages.end("face")

    def _tracked(self, clip: Clip, avatar: Avatar, enrolment: Enrolment) -> Fitted:
        """Return the person with their motion in a clip that was looked at."""
        if self.plan.live:
            return Fitted(avatar, enrolment, self._motion_as_it_comes(clip, avatar))
        motion = track_clip(clip, avatar, enrolment, self.plan.tracking, self.progress, self.parts)
        self.stages.end("tracking")
        return Fitted(avatar, enrolment, motion)

    def _motion_as_it_comes(self, clip: Clip, avatar: Avatar) -> Motion:
        """Return a person's motion in a clip, each frame tracked without later ones."""
        motion = track_live(clip, avatar, self.plan.tracking, self.any_face, self.progress)
        self.stages.end("tracking")
        return motion
