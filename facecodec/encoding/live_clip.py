"""A clip through the live tracker: every frame is read once, and nothing waits for a later one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.face import READING_PIXELS
from facecodec.bitstream import FrameFlags
from facecodec.clip.choice import FaceChoice
from facecodec.clip.clip import Clip
from facecodec.clip.people import SAME_PERSON
from facecodec.clip.scan import Scan
from facecodec.encoding.ahead import ahead
from facecodec.encoding.frame_tracker import FrameTracker, SeenFrame, TrackedFrame
from facecodec.encoding.motion import Motion
from facecodec.encoding.person import face_at_rest
from facecodec.encoding.preparation import new_tracker
from facecodec.errors import NoFaceError, UsageError
from facecodec.face.apart import EmbedderApart
from facecodec.face.layout import NUM_LANDMARKS
from facecodec.face.signals import SIGNALS, all_signals
from facecodec.fit.photometric import TrackingPlan
from facecodec.models import embedder_apart, face_embedder, landmark_finder
from facecodec.progress import Progress
from facecodec.types import Flags, Floats, Landmarks, Picture

FIRST_LOOKS = 5  # frames whose mean embedding is compared with the person's picture
EMBEDDING_INTERVAL = 50  # frames between two looks at whose face it is, which take 0.08 s each
FIRST_INTERVAL_APART = 10  # the same of the first looks, where they are taken beside the other work


class Judgement(NamedTuple):
    """Whether the face looked at last is somebody else's, and how far from the person's it is."""

    other: bool
    distance: float


class OnePerson:
    """Follows one person's face, and sees to it that the face is theirs.

    A drawn picture may be a little too far from a good frame, while the mean of several frames is
    near enough: the first ones are judged by their mean, later ones by the distance from it.
    """

    def __init__(
        self,
        avatar: Avatar | None,
        any_face: bool = False,
        choice: FaceChoice | None = None,
        apart: bool = False,
    ) -> None:
        """Read the person's own picture at rest; None: nobody is known until `expect`.

        any_face: follow whoever it is. choice: of the first frame's faces; later on, where several
        are found, of the one nearest to where a choice fell last. The largest without. apart: look
        at whose face it is in a process of its own, less often at first, and some frames late.
        """
        self._choice = choice
        self._chosen: Floats | None = None  # [2], pixels
        self.at_once = 1  # the most faces that a frame showed when all of it was searched
        self._follow, self._embed = landmark_finder(quick=True), face_embedder()
        self._wants_apart = apart
        self._apart: EmbedderApart | None = None
        self._drawn: Floats | None = None  # embedding [128] of the picture
        self.rest: Landmarks | None = None  # landmarks at rest [68, 2], in sides of the square
        picture, points = (None, None) if avatar is None else face_at_rest(avatar)
        if picture is not None and points is not None:
            self.rest = points / READING_PIXELS
            if not any_face:
                self.expect(self._embed(picture, points))
        self._first: list[Floats] = []  # embeddings of the first frames
        self._known = False  # whether those are the person's
        self.other = False  # whether the face looked at last is somebody else's
        self.distance = 0.0  # of its embedding from the person's
        self._not_looked = EMBEDDING_INTERVAL  # frames
        self._first_interval = FIRST_INTERVAL_APART if apart else 1  # frames

    def expect(self, embedding: Floats) -> None:
        """From now on, follow the person with this face embedding [128] alone."""
        self._drawn = embedding
        if self._wants_apart and self._apart is None:
            self._apart = embedder_apart()

    @property
    def judgement(self) -> Judgement:
        """Return what is thought of the face looked at last."""
        return Judgement(self.other, self.distance)

    def __call__(self, frame: Picture) -> Landmarks | None:
        """Return the person's landmarks [68, 2] in a frame [H, W, 3], None where it is not them."""
        self._follow.every_face = self._choice is not None
        points = self._follow(frame, self._choose)
        self._not_looked += 1
        if points is None:
            self._not_looked = EMBEDDING_INTERVAL  # whoever comes may be somebody else
            self.other = False
            if self._apart is not None:
                self._apart.forget()
            return None
        first = 0 < len(self._first) < FIRST_LOOKS and self._not_looked >= self._first_interval
        due = first or self._not_looked > EMBEDDING_INTERVAL
        if self._drawn is not None and (embedding := self._looked(frame, points, due)) is not None:
            self._look(embedding, self._drawn)
        return None if self.other else points

    def _looked(self, frame: Picture, points: Landmarks, due: bool) -> Floats | None:
        """Return the embedding [128] of a face [68, 2] in a frame [H, W, 3], if one is due.

        With a process apart: of one that was due before, once that has answered.
        """
        if due:
            self._not_looked = 0
        if self._apart is None:
            return self._embed(frame, points) if due else None
        if due:
            self._apart.ask(frame, points)
        return self._apart.answer()

    def _choose(self, _: Picture, faces: Sequence[Landmarks]) -> int:
        """Return which of several faces [68, 2] is the person's, and count them."""
        self.at_once = max(self.at_once, len(faces))
        if self._choice is None:
            return 0
        middles = [points.mean(0) for points in faces]
        if self._chosen is None:
            index = self._choice(faces)
        else:
            index = int(np.argmin([np.hypot(*(m - self._chosen)) for m in middles]))
        self._chosen = middles[index]
        return index

    def _look(self, embedding: Floats, drawn: Floats) -> None:
        """Judge whose embedding [128] it is, given that of the person's picture, [128]."""
        if len(self._first) < FIRST_LOOKS and not self.other:
            self._first.append(embedding)
            self.distance = float(np.linalg.norm(np.mean(self._first, axis=0) - drawn))
            self._known = self._known or self.distance <= SAME_PERSON
            self.other = len(self._first) == FIRST_LOOKS and not self._known
        elif self._known:
            away = np.linalg.norm(embedding - np.mean(self._first, axis=0))
            self.distance = float(away)
            self.other = self.distance > SAME_PERSON
        else:
            self.distance = float(np.linalg.norm(embedding - drawn))
            self.other = self.distance > SAME_PERSON
            self._known, self._first = not self.other, [embedding] * FIRST_LOOKS


def track_live(
    clip: Clip, avatar: Avatar, plan: TrackingPlan, any_face: bool, progress: Progress
) -> Motion:
    """Track a known person through a clip, frame by frame, and give the clip its scan.

    any_face: whoever it is. Raises NoFaceError when no frame shows a face, UsageError when the
    first face is not the person's or the span holds no frame.
    """
    person = OnePerson(avatar, any_face, clip.span.face)
    # before the tracker is prepared, which takes seconds
    for first in islice(clip.frames(), FIRST_LOOKS):
        person(first.image)
    _refuse_somebody_else(clip, person.judgement)
    tracker = new_tracker(avatar, plan, None, progress)
    live = FrameTracker(avatar, person.rest, tracker, person)
    pts: list[int] = []
    frames: list[TrackedFrame] = []
    other: list[bool] = []
    total = clip.span.max_frames or clip.source.frame_count

    def seen() -> Iterator[tuple[int, SeenFrame, Judgement]]:
        for frame in clip.frames():
            known = live.see(frame.image, frame.pts * float(clip.time_base))
            yield frame.pts, known, person.judgement

    with closing(ahead(seen())) as coming:
        for when, known, judgement in coming:
            frames.append(live.track(known))
            pts.append(when)
            other.append(judgement.other)
            if all(other):
                _refuse_somebody_else(clip, judgement)
            progress("tracking", len(pts), total and max(total, len(pts)))
    if not frames:
        raise UsageError(f"{clip.name}: no frame between the start and end asked for")
    scan = _scan(clip.name, pts, frames, np.array(other))
    clip.scan = replace(scan, at_once=person.at_once)
    return Motion(
        np.stack([frame.controls for frame in frames]),
        np.array([frame.flags for frame in frames], np.uint8),
        np.array([frame.residual for frame in frames]),
        tracker.failures,
        live.information / len(frames),
    )


def _refuse_somebody_else(clip: Clip, person: Judgement) -> None:
    """Raise UsageError where the face looked at last is not the person's."""
    if person.other:
        raise UsageError(
            f"{clip.name}: the face in it is not the person's: face embeddings are "
            f"{person.distance:.2f} apart, over {SAME_PERSON}; use their own file, or allow any "
            "face"
        )


def _scan(name: str, pts: list[int], frames: list[TrackedFrame], other: Flags) -> Scan:
    """Return what the frames of a clip called `name` told, T of them. Raises NoFaceError."""
    squares = [frame.square for frame in frames if frame.square is not None]
    if not squares:
        raise NoFaceError(f"{name}: no face in any of its {len(frames)} frames")
    count = len(frames)
    landmarks, signals = np.zeros((count, NUM_LANDMARKS, 2)), np.zeros((count, len(SIGNALS)))
    seen = np.array([frame.landmarks is not None for frame in frames])
    for i, frame in enumerate(frames):
        if frame.landmarks is not None:
            landmarks[i], signals[i] = frame.landmarks, all_signals(frame.landmarks)
    no_face = np.array([bool(frame.flags & FrameFlags.NO_FACE) for frame in frames])
    return Scan(
        np.array(pts, np.int64),
        [frame.square or squares[0] for frame in frames],
        landmarks,
        signals,
        seen,
        near=~seen & ~no_face,
        sharpness=np.ones(count),  # not measured: any clear frame will do
        occluded=np.array([frame.occluded for frame in frames]),
        other=other,
    )
