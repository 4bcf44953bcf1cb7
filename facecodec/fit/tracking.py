"""Tracking: aligned frames to controls by Gauss-Newton on small pictures.

With 35 unknowns, photometric tracking is a small least-squares problem: residuals are weighted
picture differences at several scales, the Jacobian is 35 renders by forward differences, kept in
a small bank by pose and corrected by Broyden's rule, and a prior keeps the controls near what
faces do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.fit.objective import Target, shrink
from facecodec.generator.base import Generator

Render = Callable[[Tensor], Tensor]  # controls [N, 35] -> pictures [N, 3, S, S]

POSE = 3
SCALES = 3
WEIGHT = 1e4


@dataclass(frozen=True)
class TrackingPlan:
    """How a frame is tracked.

    At most `iterations` Gauss-Newton steps at `size` pixels. `noise` is the picture difference
    (of a range of 2) that counts as one standard deviation; differences far beyond `outlier` are
    taken for occlusion and count less. `prior` and `motion` are the standard deviations of a
    control around zero and from frame to frame, pose first, then offsets.
    """

    size: int = 128
    iterations: int = 3
    noise: float = 0.25
    outlier: float = 0.4
    prior: tuple[float, float] = (3.0, 3.0)
    motion: tuple[float, float] = (1.0, 1.5)
    step: float = 0.25
    refresh: float = 0.8
    bank: int = 6


@dataclass
class Tracked:
    """One frame's controls [35], their information [35, 35], and the residual left (0 is equal).

    `confident` is false where the picture could not be explained.
    """

    controls: NDArray[np.float64]
    information: NDArray[np.float64]
    residual: float
    confident: bool = True


@dataclass
class Linearisation:
    """The picture's derivative at some controls, [pixels, 35] over the pyramid."""

    controls: Tensor
    jacobian: Tensor


def pyramid(pictures: Tensor) -> Tensor:
    """Flatten pictures [N, C, S, S] and their halves into one vector each.

    A coarse pixel stands for four finer ones and is scaled to weigh as much as they do together.
    """
    parts = []
    for level in range(SCALES):
        parts.append(pictures.flatten(1) * 2.0**level)
        pictures = F.avg_pool2d(pictures, 2)
    return torch.cat(parts, 1)


class Tracker:
    """Tracks one person: owns the person's styles, the basis and the Jacobian bank."""

    def __init__(
        self, generator: Generator, basis: Tensor, styles: Tensor, plan: TrackingPlan
    ) -> None:
        """`styles` [num_styles] is the person at controls 0, `basis` [35, num_styles] the rig."""
        self.generator, self.basis, self.styles, self.plan = generator, basis, styles, plan
        count = basis.shape[0]
        self.prior = self._per_control(plan.prior, count)
        self.motion = self._per_control(plan.motion, count)
        self.bank: list[Linearisation] = []
        self.renders = 0

    @staticmethod
    def _per_control(pair: tuple[float, float], count: int) -> Tensor:
        return torch.tensor([pair[0]] * POSE + [pair[1]] * (count - POSE), dtype=torch.float64)

    def render(self, controls: Tensor) -> Tensor:
        """Render controls [N, 35] to small pictures [N, 3, S, S]."""
        self.renders += len(controls)
        with torch.no_grad():
            styles = self.styles + controls.float() @ self.basis
            return self.generator.preview(styles, self.plan.size)

    def linearise(self, controls: Tensor, batch: int = 7) -> Linearisation:
        """Differentiate the render at `controls` [35] by central differences of pose steps."""
        count, step = len(controls), self.plan.step
        base = pyramid(self.render(controls[None]))
        columns = []
        for start in range(0, count, batch):
            index = torch.arange(start, min(start + batch, count))
            moved = controls.repeat(len(index), 1)
            moved[torch.arange(len(index)), index] += step
            columns.append((pyramid(self.render(moved)) - base) / step)
        return Linearisation(controls.clone(), torch.cat(columns).T.contiguous())

    def nearest(self, controls: Tensor) -> Linearisation:
        """Return the bank's derivative for this pose, making a new one when all are far."""

        def distance(entry: Linearisation) -> float:
            return float((entry.controls - controls)[:POSE].norm())

        if self.bank:
            best = min(self.bank, key=distance)
            if distance(best) <= self.plan.refresh:
                return best
        if len(self.bank) == self.plan.bank:
            self.bank.pop(0)
        self.bank.append(self.linearise(controls))
        return self.bank[-1]

    def track(self, target: Target, starts: Sequence[Tensor], previous: Tensor | None) -> Tracked:
        """Return the controls that explain one frame.

        `starts` are controls [35] of which the best is where the search begins, `previous` [35]
        the last frame's controls (None after a cut or a frame without a face).
        """
        plan = self.plan
        iterations = plan.iterations if previous is not None else 3 * plan.iterations
        picture = pyramid(shrink(target.picture[None], plan.size))[0]
        weights = shrink(target.weights[None], plan.size).expand(-1, 3, -1, -1)
        # undo the pyramid's level scale: weights are per pixel, not per difference
        levels = pyramid(torch.ones_like(weights))[0]
        weights = pyramid(weights)[0] / levels
        weights = weights * (WEIGHT / float(weights.sum()))
        anchor, tie = 1 / self.prior**2, torch.zeros_like(self.prior)
        if previous is not None:
            tie = 1 / self.motion**2
        else:
            previous = torch.zeros_like(starts[0])

        def cost(controls: Tensor, residual: Tensor) -> tuple[float, Tensor]:
            squared = (residual / (levels * plan.outlier)).square()
            robust = weights / (1 + squared)  # Cauchy: a hand across the face is an outlier
            scale = (plan.outlier / plan.noise) ** 2
            data = scale * float((weights * torch.log1p(squared)).sum())
            regular = (anchor * controls**2).sum() + (tie * (controls - previous) ** 2).sum()
            return data + float(regular), robust

        shots = pyramid(self.render(torch.stack(list(starts))))
        costs = [cost(c, picture - shot) for c, shot in zip(starts, shots, strict=True)]
        best = min(range(len(costs)), key=lambda i: costs[i][0])
        controls, shown, (value, robust) = starts[best].clone(), shots[best], costs[best]
        information = torch.diag(anchor)
        for _ in range(iterations):
            entry = self.nearest(controls)
            jacobian = entry.jacobian / (levels * plan.noise)[:, None]
            weighted = jacobian * robust[:, None]
            information = (jacobian.T @ weighted).double()
            pull = weighted.T @ ((picture - shown) / (levels * plan.noise))
            pull = pull.double() - anchor * controls - tie * (controls - previous)
            delta = torch.linalg.solve(information + torch.diag(anchor + tie), pull)
            delta = delta * min(1.0, 2.0 / float(delta.abs().max()))
            moved = pyramid(self.render((controls + delta)[None]))[0]
            self._broyden(entry, delta, moved - shown)
            moved_value, moved_robust = cost(controls + delta, picture - moved)
            if moved_value >= value:
                break
            gain = value - moved_value
            controls, shown, value, robust = controls + delta, moved, moved_value, moved_robust
            if gain < 0.01 * value or float(delta.abs().max()) < 0.02:
                break
        residual = (picture - shown) / levels
        left = float((weights * residual.abs()).sum() / weights.sum())
        return Tracked(controls.numpy(), information.numpy(), left)

    @staticmethod
    def _broyden(entry: Linearisation, delta: Tensor, change: Tensor) -> None:
        """Correct a derivative so that it explains the step just seen (Broyden 1965)."""
        step = delta.float()
        length = float(step @ step)
        if length > 1e-4:
            error = change - entry.jacobian @ step
            entry.jacobian += 0.3 * torch.outer(error, step / length)
