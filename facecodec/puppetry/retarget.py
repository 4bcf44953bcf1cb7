"""Retarget: the driver's controls to controls that make the source's face do the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags, FrameRecord, StreamReader
from facecodec.errors import NoFaceError
from facecodec.face.expression import LID_FEATURES, LIP_FEATURES, POSE_WEIGHT, features
from facecodec.face.signals import NUM_POSE
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.retargeting import Retargeter
from facecodec.fit.smoothing import smooth
from facecodec.fit.tracking import per_control
from facecodec.progress import Progress
from facecodec.rig.regions import Region
from facecodec.rig.rig import Rig
from facecodec.types import Controls, Floats

# standard deviations that another person's control may go: yaw and pitch, roll, offsets
REACH = (4.0, 2.0, 5.0)
RESTING = 0.1  # that a feature of pose counts beside lips and lids when a rest is sought
TURNED = 0.06 * POSE_WEIGHT  # by this much a head is turned away from the clip's median
SHARE = 0.25  # of the driver's offsets that the source begins with; landmarks say the rest
WHOLE, STEPS = Region.EXPRESSION, (1.0, 2.0)  # what moves a whole face goes half as far
UNSEEN = Region.GAZE  # landmarks do not show it: the driver's offsets are all there is


def neutral_frame(stream: StreamReader) -> tuple[int, Controls]:
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
    controls: Controls
    features: Floats


def at_rest(controls: Controls, done: Floats) -> Rest | None:
    """Return a driver at rest: head as it mostly is, lips together, eyes open.

    `controls` [T, 35] and features `done` [T, 50] of its frames. What lies nearest to controls 0
    may well be speaking, and no face can shut its mouth further than shut. Where lips meet in a
    turned head alone, the median of the frames' pose stands in for that frame's: turns from there
    would add up to more than another face can do. None where no frame shows a face.
    """
    seen = np.isfinite(done).all(1)
    if not seen.any():
        return None
    ahead = np.median(done[seen, :NUM_POSE], axis=0)
    shut = np.percentile(done[seen, LIP_FEATURES], 10, axis=0)
    awake = np.percentile(done[seen, LID_FEATURES], 70, axis=0)
    turned = np.abs(done[:, :NUM_POSE] - ahead)
    away = RESTING * turned.sum(1)
    lips, lids = np.abs(done[:, LIP_FEATURES] - shut), np.abs(done[:, LID_FEATURES] - awake)
    away += lips.mean(1) + lids.mean(1)
    frame = int(np.nanargmin(away))
    moved, shown = controls[frame].copy(), done[frame].copy()
    if turned[frame].max() > TURNED:
        moved[:NUM_POSE] = np.median(controls[seen, :NUM_POSE], axis=0)
        shown[:NUM_POSE] = ahead
    return Rest(frame, moved, shown)


def reaches(count: int) -> Floats:
    """Return how far each of `count` controls may go on another's face, in standard deviations."""
    turn, roll, offset = REACH
    return np.array([turn, turn, roll] + [offset] * (count - NUM_POSE))


def within_reach(controls: Controls) -> Controls:
    """Return controls [..., 35] bent so that none goes farther than `REACH`; small ones stay.

    A tracker drives a control to ten standard deviations and more where that explains a pixel of
    its own clip. On another face the same number tears a mouth or doubles an eye.
    """
    reach = reaches(controls.shape[-1]).astype(np.float32)
    result: Controls = reach * np.tanh(controls / reach)
    return result


def pose_between(source: Avatar, driver: Avatar) -> Controls:
    """Return controls [K] that turn the source's head as the driver's is at controls 0.

    Raises NoFaceError where either's picture at rest shows none.
    """
    zero = np.zeros((1, source.num_controls))
    here, there = (
        features(avatar.landmarks(zero))[0, :NUM_POSE] / POSE_WEIGHT for avatar in (source, driver)
    )
    if not np.isfinite(there - here).all():
        raise NoFaceError("no face in the picture of an identity latent; keep the pose relative")
    shift = np.zeros(source.num_controls, np.float32)
    shift[:NUM_POSE] = (there - here) / np.array([axis.std for axis in source.rig.pose])
    return shift


def retargeted(
    source: Avatar,
    controls: Controls,
    done: Floats,
    rest: Rest,
    absolute: bool,
    progress: Progress,
) -> Controls | None:
    """Return controls [T, K] that make the source's face do what the driver's does.

    `controls` [T, K] are the driver's and `done` [T, 50] the features of their frames; what they
    do beyond `rest` is what the source's face is to do beyond controls 0. `absolute`: the head's
    pose is the driver's own. None where no face can be read in the source's picture.
    """
    count, rig, face = controls.shape[1], source.rig, source.face_reader()
    here, base = face(np.zeros((1, count)))[0], rest.features.copy()
    if absolute:
        base[:NUM_POSE] = here[:NUM_POSE]
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


def _usual(rig: Rig, controls: Controls) -> Floats:
    """Return where the source's controls begin, [T, 35]."""
    share = np.full(controls.shape[1], SHARE)
    share[:NUM_POSE] = 1.0
    for k, offset in enumerate(rig.offsets):
        if offset.region == UNSEEN:
            share[NUM_POSE + k] = 1.0
    return share * within_reach(controls).astype(np.float64)
