"""Reading on a thread of its own: begun and ended with a `with`, waited for by a condition."""

from __future__ import annotations

import gc
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self


class Background(ABC):
    """A thread that reads until nothing more comes or it is stopped, and what others wait for.

    All that is shared is touched under `_change`, which is notified. `_error`: what reading raised.
    """

    _patience: float | None = None  # seconds that a read may take to end; None: it always ends

    def __init__(self) -> None:
        self._ended = self._stopped = False
        self._error: BaseException | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @abstractmethod
    def _read(self) -> None:
        """Read until nothing more comes or `_stopped`."""

    @abstractmethod
    def _release(self) -> None:
        """Close what is read."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._stopped = True
            self._change.notify_all()
        self._thread.join(self._patience)
        if not self._thread.is_alive():  # what is being read is not to be closed
            self._release()

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:
            self._error = error
        finally:
            with self._change:
                self._ended = True
                self._change.notify_all()


@contextmanager
def without_pauses() -> Iterator[None]:
    """Have Python look for garbage among what is made from now on alone.

    Among all that torch and the models are made of that takes 0.09 s, which a call would stand
    still.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
