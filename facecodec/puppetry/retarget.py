"""Retarget: the driver's controls to controls that make the source's face do the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.face import FaceReader
from facecodec.bitstream import FrameFlags, FrameRecord, StreamReader
from facecodec.errors import NoFaceError, UsageError
from facecodec.face.expression import (
    BROW_FEATURES,
    LID_FEATURES,
    LIP_FEATURES,
    NUM_FEATURES,
    POSE_WEIGHT,
    features,
)
from facecodec.face.signals import NUM_POSE
from facecodec.fit.controls import per_control
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.retargeting import Retargeter
from facecodec.fit.smoothing import smooth
from facecodec.progress import Progress
from facecodec.puppetry.in_part import Parts, Whole, in_part
from facecodec.puppetry.look import looking
from facecodec.puppetry.neutral import Neutral
from facecodec.puppetry.strength import Strengths
from facecodec.rig.regions import Region
from facecodec.rig.rig import Rig
from facecodec.types import Controls, Flags, Floats

# Standard deviations that a control may reach on another person's face.
YAW_PITCH_LIMIT, ROLL_LIMIT, OFFSET_LIMIT = 4.0, 2.0, 5.0
# How much more closely than lips and lids features are followed that move by fewer units.
CLOSENESS_OF_BROWS, CLOSENESS_OF_POSE = 5.0, 1.5
# When the frame at rest is chosen:
RESTING_POSE_WEIGHT = 0.1  # of a feature of pose, beside 1 for those of lips and lids
SHUT_LIPS_PERCENTILE = 10  # percentile over the clip of the lips' features that counts as shut
OPEN_LIDS_PERCENTILE = 70  # percentile over the clip of the lids' features that counts as open
# Features of pose by which a head is turned away from the clip's median, not only at rest.
TURNED_AWAY_FEATURES = 0.06 * POSE_WEIGHT
# Of the driver's offsets, that the source's start from: landmarks decide the rest. A region that
# landmarks do not show has nothing but the driver's.
INITIAL_OFFSET_SHARE = 0.25
UNSEEN_REGION = Region.GAZE
# Standard deviations of the differences that give the derivative; an expression moves all at once.
EXPRESSION_STEP, OFFSET_STEP = 1.0, 2.0


def nearest_to_zero(stream: StreamReader) -> tuple[int, Controls]:
    """Return the number and controls [K] of the frame nearest to controls 0.

    Raises NoFaceError for a stream without a frame that shows a face.
    """
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
    """A driver at rest: the frame that shows it, and its controls [K] and features [50]."""

    frame: int
    controls: Controls
    features: Floats


def rest_at(frame: int, controls: Controls, driver_features: Floats) -> Rest:
    """Return frame number `frame` as a driver's rest.

    `controls` [T, K] and `driver_features` [T, 50] are those of its frames. Raises UsageError for a
    frame that there is not, NoFaceError for one without a face.
    """
    if not 0 <= frame < len(controls):
        raise UsageError(
            f"frame {frame} cannot be the driver's rest: it has frames 0 to {len(controls) - 1}",
            argument="rest",
        )
    if not np.isfinite(driver_features[frame]).all():
        raise NoFaceError(f"frame {frame} of the driver shows no face; it cannot be the rest")
    return Rest(frame, controls[frame].copy(), driver_features[frame].copy())


def at_rest(controls: Controls, driver_features: Floats) -> Rest | None:
    """Return a driver at rest: head as it mostly is, lips together, eyes open.

    `controls` [T, K] and `driver_features` [T, 50] are those of its frames. The frame nearest to
    controls 0 may well be speaking, and from there no face could shut its mouth as far. Where the
    lips meet only in frames with a turned head, the median pose of the clip replaces that frame's:
    turns counted from there would add up to more than another face can do. None where no frame
    shows a face.
    """
    seen = np.isfinite(driver_features).all(1)
    if not seen.any():
        return None
    ahead = np.median(driver_features[seen, :NUM_POSE], axis=0)
    shut = np.percentile(driver_features[seen, LIP_FEATURES], SHUT_LIPS_PERCENTILE, axis=0)
    awake = np.percentile(driver_features[seen, LID_FEATURES], OPEN_LIDS_PERCENTILE, axis=0)
    turned = np.abs(driver_features[:, :NUM_POSE] - ahead)
    distance = RESTING_POSE_WEIGHT * turned.sum(1)
    lips = np.abs(driver_features[:, LIP_FEATURES] - shut)
    lids = np.abs(driver_features[:, LID_FEATURES] - awake)
    distance += lips.mean(1) + lids.mean(1)
    frame = int(np.nanargmin(distance))
    rest_controls, rest_features = controls[frame].copy(), driver_features[frame].copy()
    if turned[frame].max() > TURNED_AWAY_FEATURES:
        rest_controls[:NUM_POSE] = np.median(controls[seen, :NUM_POSE], axis=0)
        rest_features[:NUM_POSE] = ahead
    return Rest(frame, rest_controls, rest_features)


def control_limits(count: int) -> Floats:
    """Return how far each of `count` controls may go on another's face, [count].

    In standard deviations.
    """
    pose = [YAW_PITCH_LIMIT, YAW_PITCH_LIMIT, ROLL_LIMIT]
    return np.array(pose + [OFFSET_LIMIT] * (count - NUM_POSE))


def limited(controls: Controls) -> Controls:
    """Return controls [..., K] bent so that none exceeds its limit; small ones hardly change.

    A tracker takes a control to ten standard deviations and more where that explains a pixel of
    its own clip. On another face the same number tears a mouth or doubles an eye.
    """
    limits = control_limits(controls.shape[-1]).astype(np.float32)
    result: Controls = limits * np.tanh(controls / limits)
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


@dataclass(frozen=True)
class How:
    """How a driver is followed; see `facecodec.puppet`."""

    absolute: bool
    retarget: bool
    rest: int | None
    source_rest: str = "keep"


@dataclass(frozen=True)
class Performance:
    """What a driver does: controls [T, K], features [T, 50] and the rest that they count from.

    away: where the driver looks, from where they look most, [T, 2], NaN where that is not seen.
    """

    controls: Controls
    features: Floats
    rest: Rest
    away: Floats


def retargeted(
    source: Avatar,
    driver: Performance,
    strengths: Strengths,
    how: How,
    own: Controls | None,
    progress: Progress,
) -> Controls | None:
    """Return controls [T, K] that make the source's face do what the driver's does.

    How the driver's features differ from its rest is how the source's face is to differ from itself
    at rest. A puppet in part is then made of that whole one (`facecodec.puppetry.in_part`). own:
    the source's own controls [T, K] in these frames, which it goes on with where the driver moves
    nothing; None for a source that stands still. None where no face can be read in the source's
    picture.
    """
    count, rig, face = driver.controls.shape[1], source.rig, source.face_reader()
    rest = driver.rest
    origin = source_rest(source, how, face)
    here, base = face(origin[None])[0], rest.features.copy()
    if how.absolute:
        base[:NUM_POSE] = here[:NUM_POSE]
    if not np.isfinite(here).all():
        return None
    whole_face = np.array(rig.regions) == Region.EXPRESSION
    steps = np.where(whole_face, EXPRESSION_STEP, OFFSET_STEP)
    unseen = _unseen(rig)
    retargeter = Retargeter(
        face, control_limits(count), steps=steps, free=~unseen, weights=_closeness()
    )
    usual = _usual(rig, driver.controls - rest.controls)
    gaze = looking(lambda rows: face.looks(origin + rows)[1], unseen, driver.away, OFFSET_LIMIT)
    usual[:, unseen] = _gaze(driver.controls[:, unseen]) if gaze is None else gaze
    usual += origin
    moved, information = np.zeros(usual.shape), np.zeros((*usual.shape, usual.shape[1]))
    for t in range(len(usual)):
        if np.isfinite(driver.features[t]).all():
            goal = here + driver.features[t] - base
            moved[t], information[t] = retargeter.follow(usual[t], goal)
        else:
            moved[t] = usual[t]
            retargeter.forget()
        progress("retargeting", t + 1, len(usual))
    motion = per_control(TrackingPlan().motion, count).numpy()
    # Gaze is smooth as it is.
    whole = np.where(unseen, usual, smooth(moved, information, motion)).astype(np.float32)
    if strengths.plain:
        return whole
    parts = Parts.of(strengths, rig)
    return in_part(Whole(rig, whole, origin, retargeter), parts, own, progress)


def source_rest(source: Avatar, how: How, face: FaceReader | None = None) -> Floats:
    """Return the controls [K] of the source's face at rest: 0, or those of a neutral face.

    face: reads the source's; one is made where it is not given.
    """
    if how.source_rest == "keep":
        return np.zeros(source.num_controls)
    return Neutral.of_rig(source.rig).controls(face or source.face_reader())


def copied(
    source: Avatar,
    controls: Controls,
    shift: Controls,
    strengths: Strengths,
    own: Controls | None = None,
) -> Controls:
    """Return the driver's controls [T, K] after a shift [K], without looking at the source's face.

    strengths and own: as in `retargeted`.
    """
    if strengths.plain:
        return limited(controls + shift)
    factors = strengths.controls(source.rig)
    moved = limited(((controls + shift) * factors).astype(np.float32))
    return moved if own is None else np.where(factors > 0, moved, own)


def _usual(rig: Rig, controls: Controls) -> Floats:
    """Return the controls [T, K] near which the source's are sought, from the driver's [T, K]."""
    share = np.full(controls.shape[1], INITIAL_OFFSET_SHARE)
    share[:NUM_POSE] = 1.0
    return share * limited(controls).astype(np.float64)


def _closeness() -> Floats:
    """Return how closely each feature is followed, [50]."""
    weights = np.ones(NUM_FEATURES)
    weights[BROW_FEATURES], weights[:NUM_POSE] = CLOSENESS_OF_BROWS, CLOSENESS_OF_POSE
    return weights


def _unseen(rig: Rig) -> Flags:
    """Return which controls move what landmarks do not show, bool [K]."""
    return np.array([region == UNSEEN_REGION for region in rig.regions])


def _gaze(controls: Controls) -> Floats:
    """Return the controls of gaze [T, G], counted from where the driver looks most.

    A source at rest, too, looks where it mostly does, at the camera as a rule; the frame in which
    a driver's mouth is at rest may look anywhere.
    """
    away = controls.astype(np.float64) - np.median(controls, axis=0)
    bent: Floats = OFFSET_LIMIT * np.tanh(away / OFFSET_LIMIT)
    return bent
