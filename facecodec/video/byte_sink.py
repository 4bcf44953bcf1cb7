"""Outputs whose bytes we write ourselves, to a file that appears when whole or down a pipe."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from facecodec.atomic import STANDARD_OUTPUT, abandon, opened_whole
from facecodec.pipe import PipeWriter
from facecodec.video.sink import Sink, readable_errors


class ByteSink(Sink):
    """What such outputs share."""

    def __init__(self, target: Path) -> None:
        """`target` is a path, or - for standard output."""
        self._path = None if str(target) == STANDARD_OUTPUT else target
        self._stack = ExitStack()
        self._file = self._stack.enter_context(opened_whole(target))

    def put(self, data: bytes) -> None:
        """Write bytes. Raises FacecodecError where a file takes no more of them."""
        if self._path is None:  # who reads a pipe may go away: that is no failure to write
            self._file.write(data)
            return
        with readable_errors(self._path):
            self._file.write(data)

    def close(self) -> None:
        """Flush, and rename a file into place."""
        self._file.flush()
        self._stack.close()

    def cancel(self) -> None:
        """End a write that waits for a reader."""
        if isinstance(self._file, PipeWriter):
            self._file.stop()

    def abort(self) -> None:
        """Remove what was written."""
        abandon(self._stack)
