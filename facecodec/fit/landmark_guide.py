"""What a change of the landmarks says about the controls: evidence that costs no picture."""

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
    """Says how the controls move when landmarks do, linearly and with the noise of `PLAN`.

    Where the aligned square moves, nothing is meant by it.
    """

    def __init__(self, derivative: Floats, mean: Landmarks) -> None:
        """`derivative` [2P, K] is of the landmarks by the controls, `mean` [P, 2] those at rest."""
        self.derivative, self.mean = derivative, mean
        self._projection = without_placement(mean) / PLAN.noise
        self._slopes = self._projection @ derivative

    def evidence(self, change: Landmarks, moved: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normal matrix [K, K] and right side [K] of a step of the controls.

        change [P, 2]: of the landmarks since the frame before; moved [K]: what the controls have
        moved since then. The loss is Cauchy's: a landmark that is read wrongly counts little.
        """
        residual = self._projection @ change.ravel() - self._slopes @ moved.numpy()
        weighted = self._slopes / (1 + (residual / PLAN.outlier) ** 2)[:, None]
        return torch.from_numpy(weighted.T @ self._slopes), torch.from_numpy(weighted.T @ residual)


def landmark_guide(read: ReadLandmarks, count: int) -> LandmarkGuide | None:
    """Return the guide of one person, whose landmarks `read` reads at controls [N, count].

    One reading for each of some 64 pictures; None where too many of them fail.
    """
    rest, steps = np.zeros(count), per_control(PLAN.step, count).numpy()
    mean = read(rest[None])[0]
    derivative = landmark_derivative(read, rest, steps, np.eye(count))
    if derivative is None or not np.isfinite(mean).all():
        return None
    return LandmarkGuide(derivative, mean)
