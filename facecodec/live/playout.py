"""When what has come is to be shown: in step, although the link delivers now sooner, now later."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 10.0  # in which the quickest delivery says how the two clocks stand


class Playout:
    """Turns times of the sender's clock into times of the receiver's.

    What took the shortest way in the last seconds was delayed by nothing but the way: its arrival
    tells how far the clocks are apart. Everything is due so long after its own time, and `delay`
    seconds more, in which what took longer may come. Sound and pictures that are shown when they
    are due are in step, and a clock that runs faster than the other is followed.
    """

    def __init__(self, delay: float) -> None:
        """delay: seconds."""
        self.delay = delay
        # arrivals and offsets, the offsets rising: the first is the smallest of the window
        self._offsets: deque[tuple[float, float]] = deque()

    def arrived(self, time: float, arrival: float) -> None:
        """Note that what belongs to `time` of the sender has come; both in seconds."""
        offset = arrival - time
        while self._offsets and self._offsets[-1][1] >= offset:
            self._offsets.pop()
        self._offsets.append((arrival, offset))
        while self._offsets[0][0] < arrival - WINDOW_SECONDS:
            self._offsets.popleft()

    def due(self, time: float) -> float:
        """Return when `time` of the sender is to be shown, by the receiver's clock, in seconds."""
        return time + (self._offsets[0][1] if self._offsets else 0.0) + self.delay

    def restart(self) -> None:
        """Forget the clock of a sender that has begun again."""
        self._offsets.clear()
