"""One frame's least squares: weighted differences at several scales, and priors on controls."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = 3
WEIGHT = 1e4
BLUR = 0.1  # weight of the finest scale while steps are coarse


@dataclass(frozen=True)
class TrackingPlan:
    """How a frame is tracked.

    At most `iterations` Gauss-Newton steps at `size` pixels, then `full` more from full renders,
    which correct the previews after them; where the last one is no farther than `stale`, in
    standard deviations of pose, none is made. `noise` is the picture difference (of a range of 2)
    that counts as one standard deviation; differences far beyond `outlier` are taken for occlusion
    and count less. `prior` and `motion` are the standard deviations of a
    control around zero and from frame to frame, pose first, then offsets. Derivatives are
    differences over `step` of pose, to both sides, and of offsets, which go far. `shots` full
    renders fit the person's preview. Derivatives farther than `refresh` in pose are made anew,
    `bank` of them are kept, and a frame adds `allowance` to how many more may be, `cold` one that
    follows nothing. Those with respect to pose are made anew farther than `turn` away.
    """

    size: int = 128
    iterations: int = 3
    full: int = 1
    stale: float = 0.5
    noise: float = 0.25
    outlier: float = 0.4
    prior: tuple[float, float] = (3.0, 3.0)
    motion: tuple[float, float] = (1.0, 1.5)
    step: tuple[float, float] = (0.2, 1.0)
    refresh: float = 1.2
    turn: float = 0.4
    bank: int = 32
    allowance: float = 0.02
    cold: float = 1.0
    shots: int = 12


@dataclass
class Linearisation:
    """The picture's derivative at some controls, [pixels, 35] over the pyramid.

    Its columns for pose may be of another pose [3], `turned`.
    """

    controls: Tensor
    jacobian: Tensor
    turned: Tensor


def pyramid(pictures: Tensor) -> Tensor:
    """Flatten pictures [N, C, S, S] and their halves into one vector each, finest first."""
    parts = []
    for _ in range(SCALES):
        parts.append(pictures.flatten(1))
        pictures = F.avg_pool2d(pictures, 2)
    return torch.cat(parts, 1)


def pyramid_weights(weights: Tensor) -> Tensor:
    """Return the weights [pixels] of the pyramid of pictures [1, C, S, S].

    A coarse pixel weighs as much as the four finer ones it stands for, every scale the same.
    """
    parts = []
    for level in range(SCALES):
        parts.append(weights.flatten() * 4.0**level)
        weights = F.avg_pool2d(weights, 2)
    return torch.cat(parts)


class Problem:
    """One frame's least squares: its picture, robust weights, and the priors on the controls."""

    def __init__(
        self,
        picture: Tensor,
        weights: Tensor,
        plan: TrackingPlan,
        prior: Tensor,
        motion: Tensor,
        previous: Tensor | None,
    ) -> None:
        self.picture, self.plan = picture, plan
        self.anchor = 1 / prior**2
        self.tie = torch.zeros_like(prior) if previous is None else 1 / motion**2
        self.previous = torch.zeros_like(prior) if previous is None else previous
        self.tied = previous is not None
        self.stiffness = self.anchor + self.tie
        self.fine = weights * (WEIGHT / float(weights.sum()))
        self.weights = self.fine
        self._finest = 3 * plan.size**2  # values of the finest scale, which come first

    def look(self, coarse: bool) -> None:
        """Let the finest scale count little, for the first steps, or fully."""
        self.weights = self.fine
        if coarse:
            self.weights = self.fine.clone()
            self.weights[: self._finest] *= BLUR

    def robust(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Return squared differences over the outlier scale, and the weights they leave."""
        squared = ((self.picture - shown) / self.plan.outlier).square()
        # Cauchy: a hand across the face is an outlier
        return squared, self.weights / (1 + squared)

    def cost(self, controls: Tensor, shown: Tensor) -> float:
        """Return the objective at some controls and their pyramid."""
        squared, _ = self.robust(shown)
        scale = (self.plan.outlier / self.plan.noise) ** 2
        data = scale * float((self.weights * torch.log1p(squared)).sum())
        regular = self.anchor * controls**2 + self.tie * (controls - self.previous) ** 2
        return data + float(regular.sum())

    def normal(self, entry: Linearisation, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Return the information [35, 35] and the pull [35] of the picture, on the CPU."""
        _, robust = self.robust(shown)
        weighted = entry.jacobian * (robust / self.plan.noise**2)[:, None]
        pull = weighted.T @ (self.picture - shown)
        return (entry.jacobian.T @ weighted).double().cpu(), pull.double().cpu()

    def slope(self, controls: Tensor) -> Tensor:
        """Return the gradient of the priors, halved, [35]."""
        return self.anchor * controls + self.tie * (controls - self.previous)
