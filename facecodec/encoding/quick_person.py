"""A person within seconds, from one frame or a few, who gets better while they are of use already.

    view = view_of(frame, landmarks, model)
    avatar = quick_person(model, [view])  # the first picture of a call
    fit = PersonFit(model, [view, *later_views], CONTINUED_INVERSION, known=avatar)
    for done, total in fit.steps():  # on a thread of its own, or a step between two frames
        ...
    avatar = fit.avatar()

Nothing here is shared between fits; one may run beside decoding, tracking and other fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facecodec.avatar.avatar import Avatar
from facecodec.clip.targets import square_target
from facecodec.encoding.person import decoded_person, pose_from_landmarks, turned_mean
from facecodec.encoding.presets import QUICK_INVERSION
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment, ffhq_alignment, warranted_size
from facecodec.face.crop import crop
from facecodec.face.signals import all_signals
from facecodec.fit.inversion import InversionPlan, InversionStart, Inverter
from facecodec.fit.objective import Target
from facecodec.models import FaceModel, load_likeness
from facecodec.progress import Progress, silent
from facecodec.types import Floats, Landmarks, Picture

LARGEST_SQUARE = 512  # pixels a side that are compared: 1024 take a third longer a step


@dataclass(frozen=True)
class View:
    """One frame of a person, as something to learn them from.

    target: its aligned square. signals [6]: where the head points and how open mouth and eyes are
    (facecodec.face.signals). controls [K]: of the frame where they are known, None where not.
    """

    target: Target
    signals: Floats
    controls: Floats | None = None


def view_of(
    frame: Picture,
    points: Landmarks,
    model: FaceModel,
    square: Alignment | None = None,
    controls: Floats | None = None,
) -> View:
    """Return a frame, uint8 RGB [H, W, 3], as something to learn a person from.

    points [68, 2]: the landmarks in it, in pixels. square: where the face's square is, the
    landmarks' own when None. controls [K]: as a tracker of the same person found them. The frame is
    to show the whole face.
    """
    square = square or ffhq_alignment(points)
    size = min(warranted_size(square.size), LARGEST_SQUARE)
    unit = square.to_unit(points)
    target = square_target(crop(frame, square, size), unit, False, model.device)
    return View(target, all_signals(unit), controls)


class PersonFit:
    """A fit of one person to a few views of them, as it goes on."""

    def __init__(
        self,
        model: FaceModel,
        views: Sequence[View],
        plan: InversionPlan = QUICK_INVERSION,
        known: Avatar | None = None,
    ) -> None:
        """Prepare a fit, which takes half a second.

        The first of `views` shows the person at rest: controls 0 mean them as they look there. It
        should be the same one in every fit of a person, so that controls go on meaning the same.
        plan: how long to fit. known: the person so far, to go on from; a tuning of theirs is left
        out. Raises UsageError without a view; ModelError when the face embedding is not installed.
        """
        if not views:
            raise UsageError("no frame to take a person from")
        generator, rig = model
        neutral = views[0].signals
        controls = [
            pose_from_landmarks(rig, view.signals - neutral)
            if view.controls is None or view is views[0]
            else torch.as_tensor(np.asarray(view.controls))
            for view in views
        ]
        start = InversionStart(
            torch.stack([row.float() for row in controls]).to(model.device),
            generator.w_mean + turned_mean(rig, neutral).to(model.device),
            latent=None if known is None else torch.from_numpy(known.latent),
        )
        self._model = model
        self._fit = Inverter(
            generator,
            rig.basis(generator),
            [view.target for view in views],
            start,
            plan,
            load_likeness(generator),
        )

    def steps(self) -> Iterator[tuple[int, int]]:
        """Take the steps, a tenth to a third of a second each; yield those done and their number.

        All on one thread, any one.
        """
        return self._fit.steps()

    def avatar(self) -> Avatar:
        """Return the person as they are known now, as a decoder will read them."""
        return decoded_person(self._model, self._fit.result().w_plus)


def quick_person(model: FaceModel, views: Sequence[View], progress: Progress = silent) -> Avatar:
    """Return a person by `QUICK_INVERSION`: good enough to begin a call with.

    See `PersonFit`. progress: told of the steps.
    """
    fit = PersonFit(model, views)
    for done, total in fit.steps():
        progress("inversion", done, total)
    return fit.avatar()
