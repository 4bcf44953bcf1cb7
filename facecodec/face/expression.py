"""Features: what a face does, from 68 landmarks, in numbers that two people can share."""

from __future__ import annotations

import numpy as np

from facecodec.face.layout import (
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LID,
    LOWER_LIP,
    MOUTH,
    RIGHT_BROW,
    RIGHT_EYE,
    UPPER_LID,
    UPPER_LIP,
)
from facecodec.face.signals import SMALLEST_LENGTH, eye_centres, head_pose, interocular
from facecodec.types import Floats, Landmarks

# The features in order: pose (3), outline of the mouth (20 points), opening of the lids (2) and of
# the lips (3), height of the brows (2).
NUM_FEATURES = 50
OUTLINE_FEATURES, LID_FEATURES, LIP_FEATURES = slice(3, 43), slice(43, 45), slice(45, 48)
BROW_FEATURES = slice(48, 50)

# Features per unit of a pose index, and per eye distance for the others. With 100, one unit of a
# feature is a hundredth of an eye distance; more is for what moves little and says much, less for
# what many features say.
POSE_WEIGHT = 320.0
OUTLINE_WEIGHT = 28.0
LID_WEIGHT = 300.0
LIP_WEIGHT = 400.0
BROW_WEIGHT = 100.0


def features(landmarks: Landmarks) -> Floats:
    """Return the features [N, 50] of landmarks [N, 68, 2], NaN where those are."""
    blank = np.full(NUM_FEATURES, np.nan)
    return np.array([expression(row) if np.isfinite(row).all() else blank for row in landmarks])


def expression(points: Landmarks) -> Floats:
    """Return the features of landmarks [68, 2], float64 [50].

    Pose indices, the outline of the mouth, how far lids and lips are open and how high the brows
    are, in the coordinates of the eyes: origin between them, x from the left to the right one.
    """
    left, right = eye_centres(points)
    eye_distance = max(interocular(points), SMALLEST_LENGTH)
    x_axis = (right - left) / eye_distance
    axes = np.stack([x_axis, [-x_axis[1], x_axis[0]]], 1)
    local = (points - (left + right) / 2) @ axes / eye_distance
    height = local[:, 1]
    lids = [
        height[eye][list(LOWER_LID)].mean() - height[eye][list(UPPER_LID)].mean()
        for eye in (LEFT_EYE, RIGHT_EYE)
    ]
    lips = height[list(LOWER_LIP)] - height[list(UPPER_LIP)]
    brows = [height[brow].mean() for brow in (LEFT_BROW, RIGHT_BROW)]
    return np.concatenate(
        [
            POSE_WEIGHT * head_pose(points),
            OUTLINE_WEIGHT * local[MOUTH].ravel(),
            LID_WEIGHT * np.array(lids),
            LIP_WEIGHT * lips,
            BROW_WEIGHT * np.array(brows),
        ]
    )
