"""Fast tracking: landmarks say how a face moved, and a step or two on the picture mend that.

Gauss-Newton renders a dozen pictures a frame, most of them to get near. The landmarks get near with
one (`landmark_guide`). Frames that come out worse than the ones before are tracked by Gauss-Newton
alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.objective import Target, shrink
from facecodec.fit.photometric import Problem, pyramid
from facecodec.fit.tracking import CONTROL_LIMIT, Tracked, Tracker
from facecodec.types import Landmarks

# Times the residual of the frame before, or the median one if larger, above which it has failed.
FAILED_RATIO = 1.5
NEVER_FAILED_BELOW = 0.01  # residual, of a range of 2
REMEMBERED_RESIDUALS = 50  # frames before, in that median


class _Last(NamedTuple):
    """The frame before: its controls [K], their pyramid [values], and its landmarks [68, 2]."""

    controls: Tensor
    render: Tensor
    landmarks: Landmarks | None


class FastTracker:
    """Tracks one person as a `Tracker` does, in two or three renders a frame."""

    def __init__(self, tracker: Tracker, guide: LandmarkGuide | None) -> None:
        """`guide` says what the landmarks do; None for a person whose face cannot be read."""
        self.tracker, self.guide = tracker, guide
        self.motion, self.plan = tracker.motion, tracker.plan
        self.failures = 0  # frames that Gauss-Newton tracked alone
        self._residuals: deque[float] = deque(maxlen=REMEMBERED_RESIDUALS)
        self._last: _Last | None = None

    def track(
        self,
        target: Target,
        starts: Sequence[Tensor],
        previous: Tensor | None,
        occluded: bool = False,
    ) -> Tracked:
        """Return the controls [num_controls] of one frame; takes what `Tracker.track` takes."""
        tracker, last = self.tracker, self._last
        if previous is None or occluded or last is None:
            return self._slowly(target, starts, previous, occluded)
        picture = pyramid(shrink(target.picture[None], self.plan.size))[0]
        problem = tracker.problem(target, picture, previous, occluded)
        controls, render = last.controls, last.render
        if self.guide and target.landmarks is not None and last.landmarks is not None:
            change = self.guide(target.landmarks - last.landmarks)
            controls, render = self._better(problem, controls, render, change)
        for _ in range(self.plan.guided_steps or 0):
            moved = tracker.step(problem, controls, render)
            if moved is None:
                break
            controls, render = moved
        tracked = tracker.result(problem, controls, render)
        # the frame before too: where a clip becomes harder to explain, Gauss-Newton does no better
        usual = max(float(np.median(self._residuals)), self._residuals[-1])
        if tracked.residual > max(FAILED_RATIO * usual, NEVER_FAILED_BELOW):
            self.failures += 1
            return self._slowly(target, [controls, *starts], previous, occluded)
        return self._kept(tracked, _Last(controls, render, target.landmarks))

    def _better(
        self, problem: Problem, controls: Tensor, render: Tensor, change: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return controls [K] after a change [K], and their pyramid [values].

        As they were, with their pyramid `render` [values], where that explains the frame better.
        """
        moved = (controls + change).clamp(-CONTROL_LIMIT, CONTROL_LIMIT)
        picture = pyramid(self.tracker.render(moved[None]))[0]
        if problem.cost(moved, picture) < problem.cost(controls, render):
            return moved, picture
        return controls, render

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
