"""Fast tracking: one or two steps a frame, each of which heeds the picture and the landmarks.

Gauss-Newton renders a dozen pictures a frame, most of them to get near. Here a frame starts at the
one before, whose render is known; how its landmarks changed (`landmark_guide`) is part of the same
least squares as the picture. Every few frames, where the derivative sees little left to gain, a
backward pass through the render says what it has wrong, before a further step. Frames that come out
worse than the ones before are tracked by Gauss-Newton alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from facecodec.checkpoint import State
from facecodec.fit.controls import tensor
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.objective import Target, shrink
from facecodec.fit.photometric import Problem, Traced, pyramid
from facecodec.fit.tracking import CONTROL_LIMIT, LARGEST_STEP, Tracked, Tracker
from facecodec.types import Landmarks

# Times the residual of the frame before, or the median one if larger, above which it has failed.
FAILED_RATIO = 1.5
NEVER_FAILED_BELOW = 0.01  # residual, of a range of 2
REMEMBERED_RESIDUALS = 50  # frames before, in that median
SHORTENING = 0.5  # of a step after one that did not help
CAUTION = 0.7  # of a step by a derivative just corrected, whose curvature is still the old one
# Shares of the objective, and of the gain that was predicted for the last step: where more is
# predicted, and more was gained, what is left is motion, and the derivative need not be corrected.
TRUSTED_GAIN, TRUSTED_SHARE = 0.3, 0.5
# Frames from one backward pass to the next, which takes as long as two renders: what a face leaves
# unexplained is nearly the same in the next ones.
EXACT_INTERVAL = 6
LEAST_GAIN = 0.02  # share of the objective by which a further step must be predicted to lower it


class _State(NamedTuple):
    """A frame in progress: controls [K], their pyramid [values], objective, and information.

    The information [K, K] is the normal matrix of the picture where the last step was taken.
    """

    controls: Tensor
    render: Tensor
    cost: float
    information: Tensor


class _Last(NamedTuple):
    """The frame before: its controls [K], their pyramid [values], and its landmarks [68, 2]."""

    controls: Tensor
    render: Tensor
    landmarks: Landmarks | None


class FastTracker:
    """Tracks one person as a `Tracker` does, in one or two renders a frame."""

    def __init__(self, tracker: Tracker, guide: LandmarkGuide | None) -> None:
        """`guide` says what the landmarks do; None for a person whose face cannot be read."""
        self.tracker, self.guide = tracker, guide
        self.motion, self.plan = tracker.motion, tracker.plan
        self.steps = self.plan.guided_steps or 0  # of a frame at most; whoever is late takes fewer
        self.failures = 0  # frames that Gauss-Newton tracked alone
        self._descents = 0  # frames that began with `_descended`
        self._residuals: deque[float] = deque(maxlen=REMEMBERED_RESIDUALS)
        self._last: _Last | None = None

    def state(self) -> State:
        """Return what changes from frame to frame."""
        last = None if self._last is None else list(self._last)
        return {
            "tracker": self.tracker.state(),
            "failures": self.failures,
            "descents": self._descents,
            "residuals": list(self._residuals),
            "last": last,
        }

    def restore(self, state: State) -> None:
        """Go on where a tracker of this person was when it returned `state`."""
        self.tracker.restore(state["tracker"])
        self.failures = state["failures"]
        self._descents = state["descents"]
        self._residuals = deque(state["residuals"], maxlen=REMEMBERED_RESIDUALS)
        self._last = None
        if state["last"] is not None:
            controls, render, landmarks = state["last"]
            device = self.tracker.basis.device
            self._last = _Last(tensor(controls), tensor(render).to(device), landmarks)

    def track(
        self,
        target: Target,
        starts: Sequence[Tensor],
        previous: Tensor | None,
        occluded: bool = False,
    ) -> Tracked:
        """Return the controls [num_controls] of one frame; takes what `Tracker.track` takes."""
        last = self._last
        if previous is None or occluded or last is None:
            return self._slowly(target, starts, previous, occluded)
        problem, change = self._problem(target, previous, last)
        state = self._descended(problem, last, change)
        residual = problem.residual(state.render)
        # the frame before too: where a clip becomes harder to explain, Gauss-Newton does no better
        usual = max(float(np.median(self._residuals)), self._residuals[-1])
        if residual > max(FAILED_RATIO * usual, NEVER_FAILED_BELOW):
            self.failures += 1
            return self._slowly(target, [state.controls, *starts], previous, occluded)
        tracked = Tracked(state.controls.numpy(), state.information.numpy(), residual)
        return self._kept(tracked, _Last(state.controls, state.render, target.landmarks))

    def predicted(
        self, target: Target, previous: Tensor | None, occluded: bool = False
    ) -> Tracked | None:
        """Return where the first step of a frame leads, without a render: nothing checks it.

        Takes what `track` takes; a tenth of its time. It is taken from the last frame that was
        rendered, so that errors do not add up; the residual is that frame's. None where there is
        none, and where something hides the face.
        """
        last = self._last
        if previous is None or occluded or last is None:
            return None
        problem, change = self._problem(target, previous, last)
        entry = self.tracker.derivatives.nearest(last.controls)
        information, slope = problem.normal_equations(entry, last.render)
        delta, _ = self._step(problem, last.controls, (information, slope), change, last)
        controls = _moved(last.controls, delta, 1.0)
        return Tracked(controls.numpy(), information.numpy(), self._residuals[-1])

    def _problem(
        self, target: Target, previous: Tensor, last: _Last
    ) -> tuple[Problem, Landmarks | None]:
        """Return the least squares of a frame, and how its landmarks changed since `last`."""
        picture = pyramid(shrink(target.picture[None], self.plan.size))[0]
        problem = self.tracker.problem(target, picture, previous, occluded=False)
        if target.landmarks is None or last.landmarks is None:
            return problem, None
        return problem, target.landmarks - last.landmarks

    def _step(
        self,
        problem: Problem,
        controls: Tensor,
        normal: tuple[Tensor, Tensor],
        change: Landmarks | None,
        last: _Last,
    ) -> tuple[Tensor, float]:
        """Return the next step [K] and by how much it is predicted to lower the objective.

        normal: the picture's normal matrix and right side at controls [K]; change [68, 2]: of the
        landmarks since the frame before, `last`; None leaves them out.
        """
        information, slope = normal
        right_side = slope - problem.prior_slope(controls)
        matrix = information + torch.diag(problem.stiffness)
        if self.guide is not None and change is not None:
            seen, side = self.guide.evidence(change, controls - last.controls)
            matrix, right_side = matrix + seen, right_side + side
        delta = torch.linalg.solve(matrix, right_side)
        return delta, float(delta @ right_side)

    def _descended(self, problem: Problem, last: _Last, change: Landmarks | None) -> _State:
        """Return where the steps of a frame lead from the one before.

        `change` [68, 2] is that of the landmarks. They are left out of a step after
        one that did not help, which is shorter, too.
        """
        controls, render = last.controls, last.render
        entry = self.tracker.derivatives.nearest(controls)
        cost = problem.cost(controls, render)
        information, slope = problem.normal_equations(entry, render)
        traced: Traced | None = None
        exactly = self._descents % EXACT_INTERVAL == 0
        self._descents += 1
        length, reliable = 1.0, False

        for step in range(self.steps):
            delta, gain = self._step(problem, controls, (information, slope), change, last)
            if traced is not None and not (reliable and gain > TRUSTED_GAIN * cost):
                weighted = problem.weighted(traced.picture)
                entry.correct_slope(weighted, traced.slope(weighted))
                information, slope = problem.normal_equations(entry, render)
                delta, gain = self._step(problem, controls, (information, slope), change, last)
                length *= CAUTION
            if step and gain < LEAST_GAIN * cost:
                break
            there = _moved(controls, delta, length)
            traced = self.tracker.traced(there) if exactly and step + 1 < self.steps else None
            moved = traced.picture if traced else pyramid(self.tracker.render(there[None]))[0]
            entry.correct(there - controls, moved - render)
            moved_cost = problem.cost(there, moved)
            reliable = cost - moved_cost > TRUSTED_SHARE * gain
            if moved_cost < cost:
                controls, render, cost, length = there, moved, moved_cost, 1.0
            else:
                change, length = None, SHORTENING
            slope = problem.slope(entry, render)
        return _State(controls, render, cost, information)

    def _slowly(
        self, target: Target, starts: Sequence[Tensor], previous: Tensor | None, occluded: bool
    ) -> Tracked:
        """Track a frame by Gauss-Newton alone."""
        tracked = self.tracker.track(target, starts, previous, occluded)
        assert self.tracker.last is not None
        return self._kept(tracked, _Last(*self.tracker.last, target.landmarks))

    def _kept(self, tracked: Tracked, last: _Last) -> Tracked:
        self._residuals.append(tracked.residual)
        self._last = last
        return tracked


AnyTracker = Tracker | FastTracker  # what turns one frame after another into controls


def _moved(controls: Tensor, delta: Tensor, length: float) -> Tensor:
    """Return controls [K] after a step [K], times `length` and no longer than may be."""
    step = delta * min(length, LARGEST_STEP / max(float(delta.abs().max()), 1e-9))
    return (controls + step).clamp(-CONTROL_LIMIT, CONTROL_LIMIT)
