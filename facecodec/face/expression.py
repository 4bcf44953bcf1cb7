"""What a face does, from 68 landmarks, in numbers that two people can share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.face.signals import MOUTH_OUTER, eye_centres, head_pose, interocular
from facecodec.types import Landmarks

NUM_FEATURES = 50
NUM_POSE = 3  # of the features are head pose, first
LIDS_AT, LIPS_AT = slice(43, 45), slice(45, 48)  # of the features are how far they are open
LEFT_LIDS, RIGHT_LIDS = ((37, 38), (40, 41)), ((43, 44), (46, 47))
UPPER_LIPS, LOWER_LIPS = (61, 62, 63), (67, 66, 65)
BROWS = ((17, 18, 19, 20, 21), (22, 23, 24, 25, 26))
# features per unit: what is few pixels and says much counts more
POSE, OUTLINE, LIDS, LIPS, LIFT = 320.0, 28.0, 300.0, 400.0, 100.0


def features(landmarks: Landmarks) -> NDArray[np.float64]:
    """Return the features [N, 50] of landmarks [N, 68, 2], NaN where those are."""
    blank = np.full(NUM_FEATURES, np.nan)
    return np.array([expression(row) if np.isfinite(row).all() else blank for row in landmarks])


def expression(points: Landmarks) -> NDArray[np.float64]:
    """Return what the face of landmarks [68, 2] does, float64 [50], the head's pose first.

    Pose indices, the outline of the mouth, how far lids and lips are open and how high the brows
    are, in the frame of the eyes and in hundredths of their distance, weighted by how much they
    say.
    """
    left, right = eye_centres(points)
    along = (right - left) / max(interocular(points), 1e-6)
    frame = np.stack([along, [-along[1], along[0]]], 1)
    local = (points - (left + right) / 2) @ frame / max(interocular(points), 1e-6)
    height = local[:, 1]
    lids = [
        height[list(lower)].mean() - height[list(upper)].mean()
        for upper, lower in (LEFT_LIDS, RIGHT_LIDS)
    ]
    lips = height[list(LOWER_LIPS)] - height[list(UPPER_LIPS)]
    lift = [height[list(brow)].mean() for brow in BROWS]
    mouth = local[MOUTH_OUTER.start :].ravel()
    return np.concatenate(
        [
            POSE * head_pose(points),
            OUTLINE * mouth,
            LIDS * np.array(lids),
            LIPS * lips,
            LIFT * np.array(lift),
        ]
    )
