"""Puppets in part: of a whole puppet, some regions alone, more or less of them.

The whole puppet is made first. What its face does, read from its pictures, is what a part is a part
of: a region that is asked for does the same, times its strength; the others stay still, or go on as
the source does. Controls of one region show in others, so that all may move a little to keep these
where they belong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecodec.face.expression import BROW_FEATURES, NUM_FEATURES, OUTLINE_FEATURES
from facecodec.face.signals import NUM_POSE
from facecodec.fit.controls import per_control
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.retargeting import Retargeter, RetargetingPlan
from facecodec.fit.smoothing import smooth
from facecodec.progress import Progress
from facecodec.puppetry.strength import Strengths
from facecodec.rig.regions import Region
from facecodec.rig.rig import Rig
from facecodec.types import Controls, Flags, Floats

# How much more exactly than by a whole puppet features are followed: what is asked for is within
# reach, so that little but the noise of reading counts. Pose, brows and the outline of the mouth
# move by fewer units than lids and lips do.
CLOSE_WEIGHT, CLOSE_OUTLINE_WEIGHT, CLOSE_BROW_WEIGHT, CLOSE_POSE_WEIGHT = 4.0, 6.0, 10.0, 8.0
# Standard deviations by which controls may leave what is asked for: those of a region that moves,
# whole expressions that help one, and all others.
MOVING_SPREAD, HELPING_SPREAD, STILL_SPREAD = 2.0, 1.0, 0.5
LARGEST_STRETCH = 1.5  # times what a control's limit is, where more is asked for
PLAN = RetargetingPlan(prior=np.inf)  # what is asked for counts already from what faces do


@dataclass(frozen=True)
class Parts:
    """How features and controls of a whole puppet are to be scaled.

    features: [50], controls: [K], the strength of each. helping: bool [K], whole expressions beside
    a region that moves.
    """

    features: Floats
    controls: Floats
    helping: Flags

    @classmethod
    def of(cls, strengths: Strengths, rig: Rig) -> Parts:
        """Return the parts of a rig's controls."""
        controls = strengths.controls(rig)
        helping = strengths.free(rig) & (controls == 0)
        return cls(strengths.features(), controls, helping)

    @property
    def spread(self) -> Floats:
        """Return by how much each control may leave what is asked for, [K]."""
        still = np.where(self.helping, HELPING_SPREAD, STILL_SPREAD)
        result: Floats = np.where(self.controls > 0, MOVING_SPREAD, still)
        return result

    def asked(self, whole: Floats, origin: Floats, own: Controls | None) -> Floats:
        """Return the controls [T, K] of a whole puppet in part, counted from `origin` [K].

        Silent ones are `own`, or the origin's.
        """
        asked: Floats = origin + (whole - origin) * self.controls
        if own is not None:
            asked[:, self.controls == 0] = own[:, self.controls == 0]
        return asked

    def goal(self, here: Floats, whole: Floats, turned: Floats, kept: Floats) -> Floats:
        """Return what features [50] are wanted.

        here: those at rest. whole: of the whole puppet. turned: at rest, but with its head turned
        as there. kept: those of the source as it goes on, with what moves at rest; `here` for a
        source that stands still.

        The outline of the mouth moves with the head, as the eye sees it: its share of that comes
        with the pose, and what is left with the mouth. What is said of gaps holds for any pose.
        """
        moved = whole - here
        lips = moved.copy()
        lips[OUTLINE_FEATURES] -= (turned - here)[OUTLINE_FEATURES]
        goal: Floats = kept + self.features * lips
        with_head = self.features[0] * (turned - here)
        goal[OUTLINE_FEATURES] += with_head[OUTLINE_FEATURES]
        return goal


@dataclass(frozen=True)
class Whole:
    """A whole puppet: its controls [T, K], and what made them.

    retargeter: moved the source. origin: the controls [K] of the source at rest.
    """

    rig: Rig
    controls: Controls
    origin: Floats
    retargeter: Retargeter


def in_part(puppet: Whole, parts: Parts, own: Controls | None, progress: Progress) -> Controls:
    """Return controls [T, K] of a part of a whole puppet.

    own: the source's own controls [T, K], which it goes on with; None for a source that stands
    still.
    """
    face, whole, origin = puppet.retargeter.read, puppet.controls.astype(np.float64), puppet.origin
    usual = parts.asked(whole, origin, own)
    unseen = np.array(puppet.rig.regions) == Region.GAZE
    stretched = puppet.retargeter.limits * np.clip(parts.controls, 1, LARGEST_STRETCH)
    limits = np.maximum(stretched, np.abs(usual).max(0))
    retargeter = puppet.retargeter.other(limits, PLAN, ~unseen, _weights(), parts.spread)
    here = face(origin[None])[0]
    driven = (parts.controls > 0) | parts.helping
    moved, information = np.zeros(usual.shape), np.zeros((*usual.shape, usual.shape[1]))
    for t, row in enumerate(whole):
        turned = origin.copy()
        turned[:NUM_POSE] = row[:NUM_POSE]
        rows = [row, turned]
        if own is not None:
            rows += [own[t].astype(np.float64), np.where(driven, 0.0, own[t])]
        seen = face(np.stack(rows))
        seen[~np.isfinite(seen).all(1)] = here
        kept = here if own is None else np.where(parts.features > 0, seen[3], seen[2])
        goal = parts.goal(here, seen[0], seen[1], kept)
        moved[t], information[t] = retargeter.follow(usual[t], goal)
        progress("retargeting in part", t + 1, len(whole))
    motion = per_control(TrackingPlan().motion, usual.shape[1]).numpy()
    # What is asked for is smooth as it is. Readings are no better than a whole puppet's, though
    # they are followed more closely.
    left = smooth(moved - usual, information / CLOSE_WEIGHT**2, motion)
    left[:, unseen] = 0
    return (usual + left).astype(np.float32)


def _weights() -> Floats:
    """Return how closely each feature is followed, [50]."""
    weights = np.full(NUM_FEATURES, CLOSE_WEIGHT)
    weights[OUTLINE_FEATURES] = CLOSE_OUTLINE_WEIGHT
    weights[BROW_FEATURES] = CLOSE_BROW_WEIGHT
    weights[:NUM_POSE] = CLOSE_POSE_WEIGHT
    return weights
