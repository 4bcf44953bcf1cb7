"""A worker thread with a bounded queue: the next frame renders while the last one is written."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

JOBS_IN_FLIGHT = 4  # jobs in flight: enough to overlap, little memory


class Background:
    """Runs jobs in order on one thread; an error in a job is raised at the next call."""

    def __init__(self, cancel: Callable[[], None] = lambda: None) -> None:
        """`cancel` ends a job that waits for something outside, when the work is given up."""
        self._cancel = cancel
        self._jobs: queue.Queue[tuple[Callable[..., None], tuple[Any, ...]] | None]
        self._jobs = queue.Queue(JOBS_IN_FLIGHT)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def submit(self, job: Callable[..., None], *arguments: Any) -> None:
        """Queue a job; waits while the queue is full.

        Raises the error of an earlier job that failed.
        """
        if self._error is not None:
            raise self._error
        self._jobs.put((job, arguments))

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._give_up()
        self._jobs.put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _give_up(self) -> None:
        """Forget the jobs that wait, and have the one that runs end."""
        self._cancel()
        self._error = self._error or InterruptedError("given up")
        with suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            if self._error is None:
                try:
                    job, arguments = item
                    job(*arguments)
                except BaseException as error:
                    self._error = error
