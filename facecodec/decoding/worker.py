"""A worker thread with a bounded queue: the next frame renders while the last one is written."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

DEPTH = 4  # jobs in flight: enough to overlap, little memory


class Background:
    """Runs jobs in order on one thread; an error in a job is raised at the next call."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[tuple[Callable[..., None], tuple[Any, ...]] | None]
        self._jobs = queue.Queue(DEPTH)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def submit(self, job: Callable[..., None], *arguments: Any) -> None:
        """Queue a job; waits while the queue is full."""
        if self._error is not None:
            raise self._error
        self._jobs.put((job, arguments))

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._jobs.put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            if self._error is None:
                try:
                    job, arguments = item
                    job(*arguments)
                except BaseException as error:
                    self._error = error
