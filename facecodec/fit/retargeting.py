"""Retargeting: controls that make one face do what another face does.

The same control does another thing to another person, and what a tracker writes explains pixels
of its own person alone. Here the source's face is looked at: damped Gauss-Newton on what its
landmarks say, a few looks a frame, from where the driver's controls and the last frame left it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
See = Callable[[Array], Array]  # controls [N, 35] to features [N, F], NaN where no face is read


@dataclass(frozen=True)
class RetargetingPlan:
    """How a frame is retargeted.

    At most `looks` at the source's face, each followed by a step of at most `farthest` standard
    deviations. `noise` is a feature's, `correction` and `prior` the standard deviations of a
    control around the driver's and around zero; the derivative is central differences over `step`,
    if nothing else is said.
    """

    looks: int = 4
    noise: float = 8.0
    correction: float = 3.0
    prior: float = 4.0
    step: float = 2.0
    farthest: float = 1.5


class Retargeter:
    """Moves one person: owns how their features answer to the controls, and the last correction."""

    def __init__(
        self,
        see: See,
        reach: Array,
        plan: RetargetingPlan | None = None,
        steps: Array | None = None,
    ) -> None:
        """`see` looks at the person's face; no control goes farther than `reach` [35].

        `steps` [35] are those of the derivative where not every control takes the plan's.
        """
        self.see, self.reach, self.plan = see, reach, plan or RetargetingPlan()
        if steps is None:
            steps = np.full(len(reach), self.plan.step)
        change = (see(np.diag(steps)) - see(-np.diag(steps))) / (2 * steps[:, None])
        self.at_rest = np.nan_to_num(change.T)
        self.forget()

    def forget(self) -> None:
        """Begin anew, as where the face is lost."""
        self.jacobian = self.at_rest.copy()
        self.correction = np.zeros(len(self.reach))

    def follow(self, usual: Array, wanted: Array) -> tuple[Array, Array]:
        """Return controls [35] whose features are near `wanted` [F].

        `usual` [35] are the controls to stay near. Also returns their information [35, 35].
        A step that turned out to make things worse is taken back, and so is one that lost the face.
        """
        plan = self.plan
        near, rest = 1 / plan.correction**2, 1 / plan.prior**2
        damping = (near + rest) * np.eye(len(usual))
        information = damping
        last: tuple[Array, Array] | None = None
        best, kept = np.inf, np.zeros(len(usual))
        for _ in range(plan.looks):
            controls = self._within(usual + self.correction)
            self.correction = controls - usual
            seen = self.see(controls[None])[0]
            if not np.isfinite(seen).all():
                self.forget()
                self.correction = kept.copy()
                continue
            if last is not None:
                self._broyden(controls - last[0], seen - last[1])
            last = controls, seen
            missed = (wanted - seen) / plan.noise
            cost = float(missed @ missed + near * self.correction @ self.correction)
            cost += float(rest * controls @ controls)
            if cost > best:
                self.correction = 0.5 * (self.correction + kept)
                continue
            best, kept = cost, self.correction
            scaled = self.jacobian / plan.noise
            information = scaled.T @ scaled + damping
            pull = scaled.T @ missed - near * self.correction - rest * controls
            delta = np.linalg.solve(information, pull)
            delta *= min(1.0, plan.farthest / max(float(np.abs(delta).max()), 1e-9))
            self.correction = self.correction + delta
        self.correction = kept
        return self._within(usual + kept), information

    def _within(self, controls: Array) -> Array:
        within: Array = np.clip(controls, -self.reach, self.reach)
        return within

    def _broyden(self, moved: Array, change: Array) -> None:
        """Correct the derivative by the step just seen (Broyden 1965), damped: readings jitter."""
        error = change - self.jacobian @ moved
        self.jacobian += 0.3 * np.outer(error, moved) / (moved @ moved + 0.5)
