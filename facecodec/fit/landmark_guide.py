"""What a change of the landmarks says about the controls: a first guess that costs no picture."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facecodec.fit.controls import per_control
from facecodec.fit.correction import (
    CorrectionPlan,
    ReadLandmarks,
    landmark_derivative,
    without_placement,
)
from facecodec.types import Floats, Landmarks

PLAN = CorrectionPlan()  # of the derivative's differences, and how noisy landmarks are


class LandmarkGuide:
    """Turns changes of landmarks into changes of controls, linearly.

    The least squares of landmarks with the noise of `PLAN` and of controls that move from one frame
    to the next as faces do. Where the aligned square moves, nothing is meant by it.
    """

    def __init__(self, solution: Floats) -> None:
        """`solution` [K, 2P] takes changes of landmarks to changes of controls."""
        self.solution = solution

    @classmethod
    def of(cls, derivative: Floats, mean: Landmarks, motion: Floats) -> LandmarkGuide:
        """Solve the least squares.

        derivative [2P, K]: of the landmarks by the controls; mean [P, 2]: the landmarks at rest;
        motion [K]: standard deviations of a step of the controls.
        """
        projection = without_placement(mean) / PLAN.noise
        slopes = projection @ derivative
        normal = slopes.T @ slopes + np.diag(1 / motion**2)
        solution: Floats = np.linalg.solve(normal, slopes.T @ projection).astype(np.float64)
        return cls(solution)

    def __call__(self, change: Landmarks) -> Tensor:
        """Return the change of the controls, float64 [K], for one of the landmarks [P, 2]."""
        return torch.from_numpy(self.solution @ change.ravel())


def landmark_guide(read: ReadLandmarks, motion: Floats) -> LandmarkGuide | None:
    """Return the guide of one person, whose landmarks `read` reads at controls [N, K].

    motion [K]. One reading for each of some 64 pictures; None where too many of them fail.
    """
    count = len(motion)
    rest, steps = np.zeros(count), per_control(PLAN.step, count).numpy()
    mean = read(rest[None])[0]
    derivative = landmark_derivative(read, rest, steps, np.eye(count))
    if derivative is None or not np.isfinite(mean).all():
        return None
    return LandmarkGuide.of(derivative, mean, motion)
