"""What a call is like: how many frames and bits a second, and how long things take."""

from __future__ import annotations

import statistics
import time
from collections import deque
from dataclasses import dataclass

RECENT_SECONDS = 2.0  # over which the rates that are shown are taken
KEPT_TIMES = 100_000  # of which median and 95th percentile are: an hour at 25 frames a second


@dataclass(frozen=True)
class Took:
    """How long something took, in milliseconds: the median, and what 95 % stay within."""

    median: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.0f} ms (95 % within {self.most:.0f} ms)"


class Meter:
    """Counts frames and bytes, and collects times. For one thread."""

    def __init__(self) -> None:
        self.frames = self.bytes = self.datagrams = 0
        self._begin = time.perf_counter()
        self._recent: deque[tuple[float, int, int]] = deque()  # when; frames, bytes
        self._times: deque[float] = deque(maxlen=KEPT_TIMES)  # seconds

    def add(self, *, frames: int = 0, size: int = 0, datagrams: int = 0) -> None:
        """Count what was just sent, received or shown."""
        now = time.perf_counter()
        self.frames += frames
        self.bytes += size
        self.datagrams += datagrams
        self._recent.append((now, frames, size))
        while self._recent[0][0] < now - RECENT_SECONDS:
            self._recent.popleft()

    def took(self, seconds: float) -> None:
        """Note how long a frame took."""
        self._times.append(seconds)

    @property
    def seconds(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self._begin

    def rates(self) -> tuple[float, float]:
        """Return frames and kilobits a second, of late."""
        span = min(self.seconds, RECENT_SECONDS)
        if span <= 0:
            return 0.0, 0.0
        since = time.perf_counter() - span
        rows = [row for row in self._recent if row[0] >= since]
        return sum(row[1] for row in rows) / span, sum(row[2] for row in rows) * 8e-3 / span

    def latest(self) -> float | None:
        """Return the median of the last second's times in milliseconds, None without any."""
        some = list(self._times)[-25:]
        return 1000 * statistics.median(some) if some else None

    def summary(self) -> Took | None:
        """Return the times of all frames, None without any."""
        if not self._times:
            return None
        times = sorted(self._times)
        most = times[min(int(0.95 * len(times)), len(times) - 1)]
        return Took(round(1000 * statistics.median(times), 1), round(1000 * most, 1))
