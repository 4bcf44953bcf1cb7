"""A capture read on a thread of its own: the newest pictures wait, older ones are dropped."""

from __future__ import annotations

import time
from collections import deque

from facecodec.live.background import Background
from facecodec.video.capture import Capture, Heard, Seen

# Pictures that wait while others are worked on: a pause of half a second costs none, as a
# tracker that is late catches up by doing less. Where more come, it cannot: then the newest one
# alone waits for a while, so that none becomes old.
MOST_PICTURES = 15
BUSY_SECONDS = 5.0
MOST_SOUND = 512  # pieces of sound that wait for a picture, before the oldest are dropped
GIVE_UP_SECONDS = 2.0  # that a device may take to end a read


class CaptureThread(Background):
    """Reads a capture, at the pace at which it is to be shown, and keeps the newest pictures.

    every: keep all pictures instead, and read no further than there is room. dropped: pictures
    that were not taken in time.
    """

    _patience = GIVE_UP_SECONDS

    def __init__(self, capture: Capture, every: bool = False) -> None:
        super().__init__()
        self.dropped = 0
        self._capture, self._every = capture, every
        self._paced = capture.paced or every
        self._busy_until = 0.0  # how long one picture alone waits
        self._seen: deque[tuple[Seen, float]] = deque()  # and when each came
        self._heard: deque[Heard] = deque(maxlen=MOST_SOUND)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        with self._change:
            return self._ended and not self._seen

    def take(self, timeout: float) -> tuple[Seen, float, list[Heard]] | None:
        """Return the next picture, when it came by `perf_counter`, and the sound up to now.

        None where none came within `timeout` seconds. Raises what reading has raised.
        """
        with self._change:
            self._change.wait_for(lambda: self._seen or self._ended, timeout)
            if not self._seen:
                if self._error is not None:
                    raise self._error
                return None
            seen, came = self._seen.popleft()
            heard = list(self._heard)
            self._heard.clear()
            self._change.notify_all()
            return seen, came, heard

    def rest(self) -> list[Heard]:
        """Return the sound that came after the last picture."""
        with self._change:
            heard = list(self._heard)
            self._heard.clear()
            return heard

    def _read(self) -> None:
        begin = None
        for item in self._capture.items():
            if isinstance(item, Seen) and not self._paced:
                begin = time.perf_counter() if begin is None else begin
                self._wait(begin + float(item.time))
            with self._change:
                if self._stopped:
                    return
                if isinstance(item, Heard):
                    self._heard.append(item)
                    continue
                if self._every:
                    self._change.wait_for(lambda: not self._seen or self._stopped)
                now = time.perf_counter()
                if len(self._seen) >= (1 if now < self._busy_until else MOST_PICTURES):
                    self.dropped += len(self._seen)
                    self._seen.clear()
                    self._busy_until = now + BUSY_SECONDS
                self._seen.append((item, now))
                self._change.notify_all()

    def _release(self) -> None:
        self._capture.close()

    def _wait(self, due: float) -> None:
        with self._change:
            while not self._stopped and (left := due - time.perf_counter()) > 0:
                self._change.wait(left)
