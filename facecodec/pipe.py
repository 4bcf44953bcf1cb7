"""Writing to a pipe whose reader may stall, without stalling as well."""

from __future__ import annotations

import io
import os
import select
import stat
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE_BYTES = select.PIPE_BUF  # what a pipe that is ready takes without waiting
_FILE_PIECE_BYTES = 1 << 20  # a piece for a file, which is always ready
_STOP_CHECK_MILLISECONDS = 100  # milliseconds between two looks at whether to stop


class PipeWriter(io.RawIOBase):
    """Writes to a file descriptor, unbuffered and whole; `stop` ends a write that waits.

    Nothing is left in a buffer, so that a program that is interrupted while its reader stands still
    ends at once. The descriptor stays open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._stopped = threading.Event()
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._piece = _FILE_PIECE_BYTES if regular else _PIECE_BYTES
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def stop(self) -> None:
        """Have every write end at once with BrokenPipeError; for another thread to call."""
        self._stopped.set()

    def write(self, data: Buffer, /) -> int:
        """Write all of `data` and return its bytes. Raises BrokenPipeError once stopped."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            ready = self._poll.poll(_STOP_CHECK_MILLISECONDS)
            if self._stopped.is_set():
                raise BrokenPipeError("the reader stands still, and nobody waits for it any more")
            if ready:
                done += os.write(self._descriptor, view[done : done + self._piece])
        return done
