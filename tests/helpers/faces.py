"""Landmarks of a face that nobody has."""

from __future__ import annotations

import numpy as np


def face(x: float = 300.0, y: float = 200.0, scale: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """Landmarks [68, 2] with eyes 60 apart and the mouth 60 below them, turned and scaled."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (-30, 0), (30, 0)
    points[48], points[54] = (-20, 60), (20, 60)
    points[31:36] = (0, 35)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: np.ndarray = scale * points @ turn.T + (x, y)
    return moved
