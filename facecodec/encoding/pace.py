"""Keeping up with frames that come at their own pace: less work for each, then fewer frames."""

from __future__ import annotations

import time
from collections.abc import Callable

# In seconds:
WAITED = 0.01  # without work: whoever waited for a frame is not late
LATE = 0.02  # behind the frames: one step for each
TOO_LATE = 0.12  # behind: a frame is passed over
# The same since a frame came, where that is known; it is looked at first, which takes 0.02.
LATE_SINCE, TOO_LATE_SINCE = 0.045, 0.08


class Pace:
    """Says how much work each frame of a camera may take, so that a tracker never falls behind.

    By the clock: what comes out depends on the machine, so this is for live input alone.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._due: float | None = None  # when the frame came, by the clock
        self._shown = 0.0  # the frame's own time
        self._over = 0.0  # when work on the one before ended
        self.hurried = 0  # frames that got one step
        self.dropped = 0  # frames that got none

    def steps(self, most: int, shown: float, came: float | None = None) -> int:
        """Return the steps that the next frame may take, 0 to `most`.

        shown: its own time in seconds. came: when it came, by the clock; without, that is guessed.
        """
        now = self._clock()
        if came is not None:
            return self._allowed(most, now - came, (LATE_SINCE, TOO_LATE_SINCE))
        if self._due is None or now - self._over > WAITED:
            self._due = now
        else:  # it came while the one before was worked on
            self._due = min(now, self._due + shown - self._shown)
        self._shown = shown
        return self._allowed(most, now - self._due, (LATE, TOO_LATE))

    def _allowed(self, most: int, late: float, limits: tuple[float, float]) -> int:
        """Return the steps of a frame that is late by some seconds, and count it."""
        if late > limits[1]:
            self.dropped += 1
            return 0
        if late > limits[0] and most > 1:
            self.hurried += 1
            return 1
        return most

    def done(self) -> None:
        """Note that the work on a frame is over."""
        self._over = self._clock()
