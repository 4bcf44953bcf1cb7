"""Scalar signals of a face, from 68 landmarks: head pose, mouth and eye opening."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.face.layout import (
    EYE_CORNERS,
    JAW_LEFT,
    JAW_RIGHT,
    LEFT_EYE,
    LOWER_LID,
    LOWER_LIP,
    MOUTH_CORNERS,
    NOSE_TIP,
    RIGHT_EYE,
    UPPER_LID,
    UPPER_LIP,
)
from facecodec.types import Floats, Landmarks

SMALLEST_LENGTH = 1e-6  # pixels, by which a length is divided at least

POSE_SIGNALS = ("yaw", "pitch", "roll")
# Pose comes first: in signals, in the controls of a rig and in the features of an expression.
NUM_POSE = len(POSE_SIGNALS)
SIGNALS = (*POSE_SIGNALS, "mouth_opening", "mouth_width", "eye_opening")


def eye_centres(points: Landmarks) -> tuple[Floats, Floats]:
    """Return the centres [..., 2] of the left and the right eye of landmarks [..., 68, 2]."""
    left: Floats = points[..., LEFT_EYE, :].mean(-2)
    right: Floats = points[..., RIGHT_EYE, :].mean(-2)
    return left, right


def head_pose(points: Landmarks) -> NDArray[np.float64]:
    """Return yaw, pitch and roll indices of landmarks [68, 2], float64 [3].

    yaw: where the nose tip lies between the two sides of the jaw, -1 to 1, 0 frontal.
    pitch: where the nose tip lies between eye line and mouth line, 0 at the eyes, 1 at the mouth.
    roll: angle of the eye line against the horizontal, radians.
    They are indices, monotonic in the angles, not angles in degrees.
    """
    eyes = np.stack(eye_centres(points))
    across = eyes[1] - eyes[0]
    x_axis = across / np.linalg.norm(across)
    y_axis = np.array([-x_axis[1], x_axis[0]])
    tip = points[NOSE_TIP]
    left = (tip - points[JAW_LEFT].mean(0)) @ x_axis
    right = (points[JAW_RIGHT].mean(0) - tip) @ x_axis
    yaw = (left - right) / max(abs(left) + abs(right), SMALLEST_LENGTH)
    eye_line = eyes.mean(0) @ y_axis
    mouth_line = points[list(MOUTH_CORNERS)].mean(0) @ y_axis
    pitch = (tip @ y_axis - eye_line) / max(mouth_line - eye_line, SMALLEST_LENGTH)
    return np.array([yaw, pitch, np.arctan2(across[1], across[0])])


def mouth_opening(points: Landmarks) -> float:
    """Return the gap between the inner lips of landmarks [68, 2], in eye distances, 0 closed."""
    gaps = np.linalg.norm(points[list(UPPER_LIP)] - points[list(LOWER_LIP)], axis=1)
    return float(gaps.mean() / interocular(points))


def mouth_width(points: Landmarks) -> float:
    """Return the distance of the mouth's corners in landmarks [68, 2], in eye distances."""
    left, right = points[list(MOUTH_CORNERS)]
    return float(np.linalg.norm(right - left) / interocular(points))


def eye_opening(points: Landmarks) -> float:
    """Return the mean aspect ratio of both eyes in landmarks [68, 2], about 0.3 when open.

    The gap of the lids over the width (Soukupova and Cech 2016, Real-time eye blink detection).
    """
    ratios = []
    for eye in (points[LEFT_EYE], points[RIGHT_EYE]):
        gap = np.linalg.norm(eye[list(UPPER_LID)] - eye[list(LOWER_LID)], axis=1).mean()
        left, right = eye[list(EYE_CORNERS)]
        ratios.append(gap / max(float(np.linalg.norm(right - left)), SMALLEST_LENGTH))
    return float(np.mean(ratios))


def interocular(points: Landmarks) -> float:
    """Return the distance between the eye centres of landmarks [68, 2], in their unit."""
    left, right = eye_centres(points)
    return float(np.linalg.norm(right - left))


def all_signals(points: Landmarks) -> NDArray[np.float64]:
    """Return the `SIGNALS` of landmarks [68, 2] in order, float64 [6]."""
    rest = [mouth_opening(points), mouth_width(points), eye_opening(points)]
    return np.concatenate([head_pose(points), rest])
