"""Scalar signals of a face, from 68 landmarks: head pose, mouth and eye opening."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.types import Landmarks

LEFT_EYE = slice(36, 42)
RIGHT_EYE = slice(42, 48)
MOUTH_OUTER = slice(48, 60)
POSE_SIGNALS = ("yaw", "pitch", "roll")
# Pose comes first: in signals, in the controls of a rig and in the features of an expression.
NUM_POSE = len(POSE_SIGNALS)
SIGNALS = (*POSE_SIGNALS, "mouth_opening", "mouth_width", "eye_opening")


def eye_centres(points: Landmarks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres of the left and the right eye of landmarks [68, 2], float64 [2] each."""
    return points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)


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
    tip = points[30]
    left = (tip - points[1:4].mean(0)) @ x_axis
    right = (points[13:16].mean(0) - tip) @ x_axis
    yaw = (left - right) / max(abs(left) + abs(right), 1e-6)
    eye_line = eyes.mean(0) @ y_axis
    mouth_line = points[[48, 54]].mean(0) @ y_axis
    pitch = (tip @ y_axis - eye_line) / max(mouth_line - eye_line, 1e-6)
    return np.array([yaw, pitch, np.arctan2(across[1], across[0])])


def mouth_opening(points: Landmarks) -> float:
    """Return the gap between the inner lips over the distance of the eyes, 0 closed."""
    gaps = np.linalg.norm(points[[61, 62, 63]] - points[[67, 66, 65]], axis=1)
    return float(gaps.mean() / interocular(points))


def mouth_width(points: Landmarks) -> float:
    """Return the distance of the mouth corners over the distance of the eyes."""
    return float(np.linalg.norm(points[54] - points[48]) / interocular(points))


def eye_opening(points: Landmarks) -> float:
    """Return the mean eye aspect ratio of both eyes: lid gap over width, about 0.3 open."""
    ratios = []
    for eye in (points[LEFT_EYE], points[RIGHT_EYE]):
        gap = np.linalg.norm(eye[[1, 2]] - eye[[5, 4]], axis=1).mean()
        ratios.append(gap / max(float(np.linalg.norm(eye[3] - eye[0])), 1e-6))
    return float(np.mean(ratios))


def interocular(points: Landmarks) -> float:
    """Return the distance between the centres of the eyes in pixels."""
    left, right = eye_centres(points)
    return float(np.linalg.norm(right - left))


def all_signals(points: Landmarks) -> NDArray[np.float64]:
    """Return the values of `SIGNALS` in order, float64 [6]."""
    rest = [mouth_opening(points), mouth_width(points), eye_opening(points)]
    return np.concatenate([head_pose(points), rest])
