"""Single frames tracked one after the other, which a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from facecodec.checkpoint import Replay, stage
from facecodec.fit.objective import Target
from facecodec.fit.tracking import Tracked, Tracker


class KeptTracker:
    """Tracks one person as a `Tracker` does; frames that were kept are not tracked again.

    Whoever has one alone uses its tracker, in the same order every time.
    """

    def __init__(self, tracker: Tracker) -> None:
        """`tracker` has tracked nothing yet."""
        self._tracker, self._count = tracker, len(tracker.basis)
        length = self._count + self._count**2 + 1
        self._results = Replay(stage("frames"), length, tracker)

    def track(self, target: Target, starts: Sequence[Tensor], previous: Tensor | None) -> Tracked:
        """Return the controls that explain one frame; see `Tracker.track`."""

        def row() -> np.ndarray:
            made = self._tracker.track(target, starts, previous)
            return np.concatenate([made.controls, made.information.ravel(), [made.residual]])

        controls, information, residual = np.split(self._results(row), [self._count, -1])
        square = information.reshape(self._count, self._count)
        return Tracked(controls, square, float(residual[0]))
