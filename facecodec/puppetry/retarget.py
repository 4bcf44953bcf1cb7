"""Retarget: the driver's controls to controls that make the source's face do the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import cuda_ops
from facecodec.avatar.response import response_of
from facecodec.bitstream import FrameFlags, FrameRecord, StreamReader
from facecodec.clip.scan import Scan
from facecodec.errors import NoFaceError
from facecodec.face.expression import LIDS_AT, LIPS_AT, NUM_FEATURES, POSE, expression
from facecodec.face.expression import NUM_POSE as POSE_FEATURES
from facecodec.face.landmarks import LandmarkFinder
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.response import Response
from facecodec.fit.retargeting import Retargeter
from facecodec.fit.smoothing import smooth
from facecodec.fit.tracking import per_control
from facecodec.generator.base import Generator
from facecodec.models import landmark_finder
from facecodec.progress import Progress
from facecodec.rig.rig import NUM_POSE, Rig

LOOK = 256  # pixels of the pictures in which a face is read
# standard deviations that another person's control may go: yaw and pitch, roll, offsets
REACH = (4.0, 2.0, 5.0)
RESTING = 0.1  # that a feature of pose counts beside lips and lids when a rest is sought
TURNED = 0.06 * POSE  # by this much a head is turned away from the clip's median
SHARE = 0.25  # of the driver's offsets that the source begins with; landmarks say the rest
WHOLE, STEPS = "expression", (1.0, 2.0)  # what moves all of a face goes half as far as the rest
UNSEEN = "gaze"  # region that landmarks do not show: the driver's offsets are all there is


@dataclass(frozen=True)
class Shown:
    """Who is shown: the identity latent float32 [num_ws, 512] and the bytes of a tuning."""

    w_plus: NDArray[np.float32]
    tuning: bytes | None


class Face:
    """One person's face at any controls, read from previews."""

    def __init__(self, generator: Generator, response: Response, find: LandmarkFinder) -> None:
        self.generator, self.find = generator, find
        self.basis, self.styles = response.basis, response.styles
        self.size = LOOK if LOOK in generator.preview_sizes else generator.resolution

    def __call__(self, controls: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features [N, 50] of `expression` at controls [N, 35].

        NaN where no face is read.
        """
        return features(self.landmarks(controls))

    def landmarks(self, controls: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the landmarks [N, 68, 2] at controls [N, 35], in sides of the square.

        NaN where no face is read.
        """
        blank = np.full((68, 2), np.nan)
        found = [self._read(row) for row in controls]
        return np.array([blank if row is None else row / self.size for row in found])

    def _read(self, controls: NDArray[np.float64]) -> NDArray[np.float64] | None:
        with torch.inference_mode(), cuda_ops.roughly():
            moved = torch.from_numpy(controls.astype(np.float32)).to(self.basis.device)
            styles = self.styles + moved[None] @ self.basis
            if self.size == self.generator.resolution:
                picture = cuda_ops.rgb8(self.generator.synthesize(styles))
            else:
                picture = cuda_ops.rgb8(self.generator.preview(styles, self.size))
        return self.find(picture[0].cpu().numpy())


def features(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the features [N, 50] of landmarks [N, 68, 2], NaN where those are."""
    blank = np.full(NUM_FEATURES, np.nan)
    return np.array([expression(row) if np.isfinite(row).all() else blank for row in landmarks])


def face_of(generator: Generator, rig: Rig, who: Shown) -> Face:
    """Return the face of a person as a stream or an identity file has them."""
    return Face(*response_of(generator, rig, who.w_plus, who.tuning), landmark_finder())


def neutral_frame(stream: StreamReader) -> tuple[int, NDArray[np.float32]]:
    """Return the number and controls of the frame nearest to controls 0."""
    best: FrameRecord | None = None
    for frame in stream.frames():
        if frame.flags & FrameFlags.NO_FACE:
            continue
        if best is None or np.abs(frame.controls).sum() < np.abs(best.controls).sum():
            best = frame
    if best is None:
        raise NoFaceError(f"{stream.name}: no frame of the driver shows a face")
    return best.index, best.controls


@dataclass(frozen=True)
class Rest:
    """A driver at rest: the frame that shows it, and its controls [35] and features [50]."""

    frame: int
    controls: NDArray[np.float32]
    features: NDArray[np.float64]


def at_rest(controls: NDArray[np.float32], done: NDArray[np.float64]) -> Rest | None:
    """Return a driver at rest: head as it mostly is, lips together, eyes open.

    `controls` [T, 35] and features `done` [T, 50] of its frames. What lies nearest to controls 0
    may well be speaking, and no face can shut its mouth further than shut. Where lips meet in a
    turned head alone, the median of the frames' pose stands in for that frame's: turns from there
    would add up to more than another face can do. None where no frame shows a face.
    """
    seen = np.isfinite(done).all(1)
    if not seen.any():
        return None
    ahead = np.median(done[seen, :POSE_FEATURES], axis=0)
    shut = np.percentile(done[seen, LIPS_AT], 10, axis=0)
    awake = np.percentile(done[seen, LIDS_AT], 70, axis=0)
    turned = np.abs(done[:, :POSE_FEATURES] - ahead)
    away = RESTING * turned.sum(1)
    away += np.abs(done[:, LIPS_AT] - shut).mean(1) + np.abs(done[:, LIDS_AT] - awake).mean(1)
    frame = int(np.nanargmin(away))
    moved, shown = controls[frame].copy(), done[frame].copy()
    if turned[frame].max() > TURNED:
        moved[:NUM_POSE] = np.median(controls[seen, :NUM_POSE], axis=0)
        shown[:POSE_FEATURES] = ahead
    return Rest(frame, moved, shown)


def reaches(count: int) -> NDArray[np.float64]:
    """Return how far each of `count` controls may go on another's face, in standard deviations."""
    turn, roll, offset = REACH
    return np.array([turn, turn, roll] + [offset] * (count - NUM_POSE))


def within_reach(controls: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return controls [..., 35] bent so that none goes farther than `REACH`; small ones stay.

    A tracker drives a control to ten standard deviations and more where that explains a pixel of
    its own clip. On another face the same number tears a mouth or doubles an eye.
    """
    reach = reaches(controls.shape[-1]).astype(np.float32)
    return reach * np.tanh(controls / reach)


def pose_between(
    generator: Generator, rig: Rig, source: Shown, driver: Shown
) -> NDArray[np.float32]:
    """Return controls [35] that turn the source's head as the driver's is at controls 0.

    Raises NoFaceError where either's picture at rest shows none.
    """
    zero = np.zeros((1, len(rig.names)))
    here, there = (
        face_of(generator, rig, who)(zero)[0, :POSE_FEATURES] / POSE for who in (source, driver)
    )
    if not np.isfinite(there - here).all():
        raise NoFaceError("no face in the picture of an identity latent; try without --absolute")
    shift = np.zeros(len(rig.names), np.float32)
    shift[:NUM_POSE] = (there - here) / np.array([axis.std for axis in rig.pose])
    return shift


def read_features(found: Scan) -> NDArray[np.float64]:
    """Return the features [T, 50] of a video's frames, NaN where no face is seen."""
    return features(np.where(found.seen[:, None, None], found.landmarks, np.nan))


def shown_landmarks(
    face: Face, stage: str, progress: Progress, controls: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the landmarks [N, 68, 2] of a person at controls [N, 35], NaN where no face is read.

    `stage` is what progress calls it.
    """
    rows = []
    for i, row in enumerate(controls):
        rows.append(face.landmarks(row[None])[0])
        progress(stage, i + 1, len(controls))
    return np.array(rows)


def shown_features(
    face: Face, controls: NDArray[np.float32], progress: Progress
) -> NDArray[np.float64]:
    """Return the features [T, 50] of a person at controls [T, 35], NaN where no face is read."""
    rows = controls.astype(np.float64)
    return features(shown_landmarks(face, "reading the driver", progress, rows))


def retargeted(
    face: Face,
    rig: Rig,
    controls: NDArray[np.float32],
    done: NDArray[np.float64],
    rest: Rest,
    absolute: bool,
    progress: Progress,
) -> NDArray[np.float32] | None:
    """Return controls [T, 35] that make the source's `face` do what the driver's does.

    `controls` [T, 35] are the driver's and `done` [T, 50] the features of their frames; what they
    do beyond `rest` is what the source's face is to do beyond controls 0. `absolute`: the head's
    pose is the driver's own. None where no face can be read in the source's picture.
    """
    count = controls.shape[1]
    here, base = face(np.zeros((1, count)))[0], rest.features.copy()
    if absolute:
        base[:POSE_FEATURES] = here[:POSE_FEATURES]
    if not np.isfinite(here).all():
        return None
    steps = np.where(np.array(rig.regions) == WHOLE, *STEPS)
    retargeter = Retargeter(face, reaches(count), steps=steps)
    usual = _usual(rig, controls - rest.controls)
    moved, information = np.zeros(usual.shape), np.zeros((*usual.shape, usual.shape[1]))
    for t in range(len(controls)):
        if np.isfinite(done[t]).all():
            moved[t], information[t] = retargeter.follow(usual[t], here + done[t] - base)
        else:
            moved[t] = usual[t]
            retargeter.forget()
        progress("retargeting", t + 1, len(controls))
    motion = per_control(TrackingPlan().motion, count).numpy()
    return smooth(moved, information, motion).astype(np.float32)


def _usual(rig: Rig, controls: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return where the source's controls begin, [T, 35]."""
    share = np.full(controls.shape[1], SHARE)
    share[:NUM_POSE] = 1.0
    for k, offset in enumerate(rig.offsets):
        if offset.region == UNSEEN:
            share[NUM_POSE + k] = 1.0
    return share * within_reach(controls).astype(np.float64)
