"""Retargeting: controls that make one face do what another face does.

The same control does different things to different people, and what a tracker writes explains the
pixels of its own person alone. Here the source's face is rendered and its landmarks are read:
damped Gauss-Newton on the features of the landmarks, a few renders a frame, starting from the
driver's controls and the previous frame's correction.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Controls [N, num_controls] to features [N, F], NaN where no face is read.
ReadFeatures = Callable[[Array], Array]

# Broyden's update is damped and regularised: readings jitter by a fraction of a pixel.
BROYDEN_DAMPING = 0.3
BROYDEN_REGULARISER = 0.5  # squared standard deviations, added to a step's squared length
RETREAT = 0.5  # share of a step that is kept where it made things worse


@dataclass(frozen=True, kw_only=True)
class RetargetingPlan:
    """How a frame is retargeted. Controls are in standard deviations."""

    iterations: int = 4  # renders of the source's face, each followed by a step
    noise: float = 8.0  # standard deviation of a feature, in hundredths of the eye distance, about
    correction: float = 3.0  # standard deviation of a control around the driver's
    prior: float = 4.0  # standard deviation of a control around 0
    step: float = 2.0  # of the central differences that give the derivative
    largest_step: float = 1.5  # of a control in one iteration


class Retargeter:
    """Moves one person: owns the derivative of their features and the last frame's correction."""

    def __init__(
        self,
        read: ReadFeatures,
        limits: Array,
        plan: RetargetingPlan | None = None,
        steps: Array | None = None,
        free: NDArray[np.bool_] | None = None,
        weights: Array | None = None,
    ) -> None:
        """`read` reads the person's face; no control exceeds its limit in `limits` [num_controls].

        `steps` [num_controls] replace the plan's step of the derivative. Controls that are not
        `free`, bool [num_controls], stay what is usual. `weights` [F] say how much more exactly
        than others a feature is followed, 1 for all where none are given.
        """
        self.read, self.limits, self.plan = read, limits, plan or RetargetingPlan()
        self.free = np.ones(len(limits), bool) if free is None else free
        if steps is None:
            steps = np.full(len(limits), self.plan.step)
        tried = np.diag(steps)[self.free]
        change = (read(tried) - read(-tried)) / (2 * steps[self.free, None])
        self.jacobian_at_rest = np.zeros((change.shape[1], len(limits)))
        self.jacobian_at_rest[:, self.free] = np.nan_to_num(change.T)
        self.noise = np.full(change.shape[1], self.plan.noise)
        if weights is not None:
            self.noise /= weights
        self.near = np.full(len(limits), 1 / self.plan.correction**2)
        self.forget()

    def other(
        self,
        limits: Array,
        plan: RetargetingPlan,
        free: NDArray[np.bool_],
        weights: Array,
        spread: Array,
    ) -> Retargeter:
        """Return one that moves the same person, whose derivative is known, in another way.

        limits, plan, free, weights: as above; none that is held here may be free there. spread
        [num_controls] replaces the plan's `correction`.
        """
        made = copy(self)
        made.limits, made.plan, made.free = limits, plan, free
        made.jacobian_at_rest = np.where(free, self.jacobian_at_rest, 0.0)
        made.noise = plan.noise / weights
        made.near = 1 / spread**2
        made.forget()
        return made

    def forget(self) -> None:
        """Forget the previous frame: no correction, and the derivative at rest."""
        self.jacobian = self.jacobian_at_rest.copy()
        self.correction = np.zeros(len(self.limits))

    def follow(self, usual: Array, wanted: Array) -> tuple[Array, Array]:
        """Return controls [num_controls] whose features are near `wanted` [F].

        They stay near `usual` [num_controls]. Also returns their information, the normal matrix
        [num_controls, num_controls]. A step that made things worse, or after which no face could
        be read, is taken back.
        """
        plan = self.plan
        near, rest = self.near, 1 / plan.prior**2
        damping = np.diag(near + rest)
        information = damping
        last: tuple[Array, Array] | None = None
        best, kept = np.inf, np.zeros(len(usual))
        for _ in range(plan.iterations):
            controls = self._limited(usual + self.correction)
            self.correction = controls - usual
            features = self.read(controls[None])[0]
            if not np.isfinite(features).all():
                self.forget()
                self.correction = kept.copy()
                continue
            if last is not None:
                self._broyden(controls - last[0], features - last[1])
            last = controls, features
            residual = (wanted - features) / self.noise
            cost = float(residual @ residual + (near * self.correction) @ self.correction)
            cost += float(rest * controls @ controls)
            if cost > best:
                self.correction = RETREAT * (self.correction + kept)
                continue
            best, kept = cost, self.correction
            scaled = self.jacobian / self.noise[:, None]
            information = scaled.T @ scaled + damping
            right_side = scaled.T @ residual - near * self.correction - rest * controls
            delta = np.where(self.free, np.linalg.solve(information, right_side), 0.0)
            delta *= min(1.0, plan.largest_step / max(float(np.abs(delta).max()), 1e-9))
            self.correction = self.correction + delta
        self.correction = kept
        return self._limited(usual + kept), information

    def _limited(self, controls: Array) -> Array:
        """Return controls [num_controls] clipped to their limits."""
        limited: Array = np.clip(controls, -self.limits, self.limits)
        return limited

    def _broyden(self, moved: Array, change: Array) -> None:
        """Correct the derivative by a step `moved` [num_controls] that changed features [F].

        Broyden 1965, A class of methods for solving nonlinear simultaneous equations.
        """
        moved = moved * self.free
        error = change - self.jacobian @ moved
        length = moved @ moved + BROYDEN_REGULARISER
        self.jacobian += BROYDEN_DAMPING * np.outer(error, moved) / length
