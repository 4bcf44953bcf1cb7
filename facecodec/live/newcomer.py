"""Somebody whom nobody has enrolled: found out who they are while they are in the call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import read_identity
from facecodec.encoding.live_clip import OnePerson
from facecodec.encoding.preparation import prepared
from facecodec.encoding.presets import LIVE_TRACKING
from facecodec.errors import FacecodecError
from facecodec.face.alignment import ffhq_alignment, warranted_size
from facecodec.face.crop import crop
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.preparation import Preparation
from facecodec.live.enrolment_apart import EnrolmentApart, Known
from facecodec.live.landmark_tracker import LandmarkTracker
from facecodec.live.messages import LEARNT
from facecodec.live.person import LivePerson
from facecodec.live.sender import WAIT_SECONDS, Taken
from facecodec.live.settings import LiveSettings
from facecodec.live.speaker import Speaker
from facecodec.live.tracker import KnownFace, PersonTracker
from facecodec.models import Device, FaceModel, load_models
from facecodec.progress import Progress
from facecodec.types import Landmarks, Picture
from facecodec.weights.catalogue import DEFAULT_GENERATOR

_log = logging.getLogger(__name__)

FIRST_PICTURES = 5  # of which the best shows the first person
# Seconds between two pictures that are handed over, before and after the first person is there.
FIRST_INTERVAL, LATER_INTERVAL = 0.08, 0.5
# Of the pictures that come while the first person is fitted, one of so many is looked at: enough to
# follow the face, and the fit has the processor.
WATCHED = 4
PORTRAIT_SIDE = 1.75  # sides of the aligned square in a side of a picture: hair and shoulders too
MOST_SQUARE = 512  # pixels of the aligned square in a picture at most
# Bytes of the person with each frame: of the first one, without whom nothing is seen, and of later.
FIRST_PERSON_BYTES, LATER_PERSON_BYTES = 1150, 256


class Newcomer:
    """Follows whoever is seen, has them enrolled beside the call, and says what is known of them.

    `speaker` gives the person as known at the moment; before that, `find` waits for one.
    """

    def __init__(
        self,
        apart: EnrolmentApart,
        model: FaceModel,
        guide: LandmarkGuide,
        settings: LiveSettings,
        keep_up: bool,
        any_face: bool = False,
    ) -> None:
        """apart: fits the person. model: generator and rig. guide: of the generator's mean face.

        settings: of the link. keep_up: see `PersonTracker`; without it, pictures wait until the
        person is known. any_face: follow whoever it is.
        """
        self._apart, self._model, self._guide = apart, model, guide
        self._settings, self._waits = settings, not keep_up
        self._any_face = any_face
        self._one = OnePerson(None, apart=keep_up)
        self._side: int | None = None  # of the pictures handed over
        self._handed, self._last = 0, -FIRST_INTERVAL  # pictures, and when the last one was
        self._speaker: Speaker | None = None

    def follow(self, frame: Picture) -> Landmarks | None:
        """Return the person's landmarks [68, 2] in a frame [H, W, 3], None where it is not them."""
        points = self._one(frame)
        now = time.monotonic()
        interval = FIRST_INTERVAL if self._speaker is None else LATER_INTERVAL
        if points is not None and now - self._last >= interval:
            self._last = now
            self._hand_over(frame, points)
        return points

    def _hand_over(self, frame: Picture, points: Landmarks) -> None:
        place = ffhq_alignment(points)
        if self._side is None:
            self._side = round(PORTRAIT_SIDE * min(warranted_size(place.size), MOST_SQUARE))
        portrait = replace(place, size=PORTRAIT_SIDE * place.size)
        self._apart.offer(crop(frame, portrait, self._side))
        self._handed += 1
        if self._handed == FIRST_PICTURES:
            self._apart.begin()

    def meet(
        self, take: Callable[[threading.Event], Taken | None], stop: threading.Event
    ) -> Taken | None:
        """Look at what `take` gives until somebody is known; return the picture after that.

        None where `stop` is set before. Raises FacecodecError where the pictures end before.
        """
        fitting = 0  # pictures since the fit began
        while (taken := take(stop)) is not None:
            if fitting % WATCHED == 0:
                self.follow(taken.image)
            fitting += self._handed >= FIRST_PICTURES
            patient = self._waits and self._handed >= FIRST_PICTURES
            while self.find(WAIT_SECONDS if patient else 0.0) is None and patient:
                if stop.is_set():
                    return None
            if self._speaker is not None:
                return taken
        if stop.is_set():
            return None
        raise FacecodecError(
            "the pictures ended before it was known who is in them: give the person's .fci file"
        )

    def find(self, timeout: float) -> Speaker | None:
        """Return the first person, None where they are not known after `timeout` seconds.

        Raises FacecodecError where they cannot be found out.
        """
        known = self._apart.news(timeout)
        if known is None and self._apart.ended:
            raise FacecodecError("the process that was to find out who is in the call has ended")
        if known is not None:
            if not self._any_face:
                self._one.expect(known["embedding"])
            self._speaker = self._made(known)
        return self._speaker

    def speaker(self) -> Speaker:
        """Return the person as they are known at the moment, once `find` has returned one."""
        assert self._speaker is not None
        try:
            known = self._apart.news()
        except FacecodecError as error:  # the call goes on with the person that there is
            _log.warning("the person in the call does not get better: %s", error)
            known = None
        if known is not None:
            self._speaker = self._made(known)
        return self._speaker

    def _made(self, known: Known) -> Speaker:
        """Return a speaker out of what `enrolling.described` says."""
        data = known["person"].tobytes()
        before, stage = self._speaker, known["stage"].tobytes().decode()
        if before is not None and before.stage == stage:
            avatar, person, settings = before.avatar, before.person, before.settings
        else:
            file = read_identity(BytesIO(data), "the person in the call")
            avatar = Avatar.from_identity_file(file, model=self._model)
            person = LivePerson.from_identity_file(file)
            settings = self._settings
            if settings.person_bytes is not None:  # on a thin link they come between the frames
                size = FIRST_PERSON_BYTES if before is None else LATER_PERSON_BYTES
                settings = settings.changed(person_bytes=size)
        arrays = {
            name.removeprefix(LEARNT): array
            for name, array in known.items()
            if name.startswith(LEARNT)
        }
        if not arrays:
            landmarks = LandmarkTracker(self._guide, known["neutral"], self.follow)
            return Speaker(stage, avatar, person, landmarks, settings)
        learnt = Preparation.from_arrays(
            arrays, avatar.generator, avatar.num_controls, LIVE_TRACKING
        )
        face = KnownFace(self.follow, known.get("rest"), learnt)
        tracker = PersonTracker(avatar, keep_up=not self._waits, face=face)
        return Speaker(stage, avatar, person, tracker, settings, tracker.quantiser)


@contextmanager
def newcomer(
    settings: LiveSettings,
    rig: str | Path | None,
    device: Device,
    keep_up: bool,
    any_face: bool,
    progress: Progress,
) -> Iterator[Newcomer]:
    """Yield somebody to be met, once all models are loaded; see `send`.

    Raises ModelError when a model is missing, FacecodecError where the process that fits the person
    ends.
    """
    apart = EnrolmentApart(DEFAULT_GENERATOR, "" if rig is None else str(rig), str(device))
    try:
        model = load_models(rig=rig, device=device)
        nobody = Avatar(model, np.tile(model.mean, (model.generator.num_ws, 1)))
        guide = prepared(nobody, LIVE_TRACKING, progress).guide
        if guide is None:
            raise FacecodecError("no face is read in the generator's mean face")
        apart.wait_until_ready()
        yield Newcomer(apart, model, guide, settings, keep_up=keep_up, any_face=any_face)
    finally:
        apart.end()
