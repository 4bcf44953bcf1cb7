"""The process beside a sender that finds out who is in the call, from the sender's side."""

from __future__ import annotations

import queue
import subprocess
import threading
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.errors import FacecodecError
from facecodec.live.messages import Arrays, read_message, write_message
from facecodec.process import module_command
from facecodec.types import Picture

WAITING_PICTURES = 8  # that have not been taken over yet, before further ones are left out
PATIENCE_SECONDS = 2.0  # that the process may take to end
Known = dict[str, NDArray[Any]]  # see `enrolling.described`


class EnrolmentApart:
    """Hands pictures of a face to a process of its own, and has news of the person from it."""

    def __init__(self, generator: str, rig: str, device: str) -> None:
        """Begin to load the models. rig: a file, '' for the generator's own."""
        self._process = subprocess.Popen(
            module_command("facecodec.live.enrolling", generator, rig, device),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._news: queue.SimpleQueue[Known | None] = queue.SimpleQueue()
        self._to_send: queue.Queue[Arrays | None] = queue.Queue(WAITING_PICTURES)
        taking = threading.Thread(target=self._take, daemon=True)
        giving = threading.Thread(target=self._give, daemon=True)
        taking.start()
        giving.start()
        self._finish = weakref.finalize(self, _end, self._process, self._to_send)

    def wait_until_ready(self) -> None:
        """Wait until the models are loaded. Raises FacecodecError where they cannot be."""
        if self._next(None) is None:
            raise FacecodecError("the process that was to find out who is in the call has ended")

    def offer(self, picture: Picture) -> None:
        """Hand over a picture, uint8 [S, S, 3], of the face; left out where too many wait."""
        with suppress(queue.Full):
            self._to_send.put_nowait({"picture": picture})

    def begin(self) -> None:
        """Have the first person fitted to the pictures that were handed over."""
        self._to_send.put({"begin": np.ones(1)})

    def news(self, timeout: float = 0.0) -> Known | None:
        """Return what is known of the person where that is more than before, else None.

        timeout: seconds to wait for it. Raises FacecodecError where nothing can be found out.
        """
        return self._next(timeout)

    def end(self) -> None:
        """End the process."""
        self._finish()

    def _next(self, timeout: float | None) -> Known | None:
        try:
            known = self._news.get(timeout != 0.0, timeout)
        except queue.Empty:
            return None
        if known is not None and "error" in known:
            raise FacecodecError(bytes(known["error"]).decode(errors="replace"))
        return known

    @property
    def ended(self) -> bool:
        """Whether there will be no more news."""
        return self._process.poll() is not None and self._news.empty()

    def _take(self) -> None:
        assert self._process.stdout is not None
        with suppress(ValueError, OSError):  # what it says is no message, or it is being ended
            while (known := read_message(self._process.stdout)) is not None:
                self._news.put(known)
        self._news.put(None)

    def _give(self) -> None:
        assert self._process.stdin is not None
        while (message := self._to_send.get()) is not None:
            try:
                write_message(self._process.stdin, message)
            except (OSError, ValueError):  # it has ended: there is nobody to tell
                return


def _end(process: subprocess.Popen[bytes], to_send: queue.Queue[Arrays | None]) -> None:
    """End the process: it has nothing to keep."""
    with suppress(queue.Full):
        to_send.put_nowait(None)
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
