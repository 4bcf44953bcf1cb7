"""Open `.fcv` and `.fci` files by path, with errors that name the file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from facecodec.arguments import opened_input
from facecodec.bitstream.container.chunks import IDENTITY_MAGIC
from facecodec.bitstream.container.identity_file import IdentityFile, read_identity
from facecodec.bitstream.container.reader import StreamReader
from facecodec.errors import FacecodecError, UsageError


def open_stream(path: str | Path) -> StreamReader:
    """Open a `.fcv` file for reading; `-` is standard input.

    Raises UsageError when it is missing, StreamError when it is damaged.
    """
    file, name = _opened(path)
    try:
        return StreamReader(file, name)
    except BaseException:
        if file is not getattr(sys.stdin, "buffer", None):
            file.close()
        raise


def open_seekable(path: str | Path) -> StreamReader:
    """Open a `.fcv` file for reading in any order; what comes through a pipe is copied to a file.

    The copy has no name, and is gone with the reader. Raises what `open_stream` does, and
    FacecodecError where there is no space for it.
    """
    file, name = _opened(path)
    if file.seekable():
        return StreamReader(file, name)
    try:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - the reader's
        shutil.copyfileobj(file, copy)
        copy.seek(0)
    except OSError as error:
        raise FacecodecError(f"{name}: cannot be copied ({error.strerror})") from error
    return StreamReader(cast(BinaryIO, copy), name)


def _opened(path: str | Path) -> tuple[BinaryIO, str]:
    """Return a file and what errors call it."""
    if str(path) != "-":
        return opened_input(path, "a .fcv file", pipe=True), str(path)
    given = getattr(sys.stdin, "buffer", None)
    if given is None:
        raise UsageError("standard input is closed: there is no stream to read")
    return given, "standard input"


def load_identity_file(path: str | Path) -> IdentityFile:
    """Read a `.fci` file. Raises UsageError when missing or a pipe, StreamError when damaged."""
    with opened_input(path, "a .fci file") as file:
        return read_identity(file, str(path))


def is_identity_file(path: str | Path) -> bool:
    """Return whether a file begins as a `.fci` file does; False for one that cannot be opened.

    False for a pipe too, which can be read only once.
    """
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return file.read(len(IDENTITY_MAGIC)) == IDENTITY_MAGIC
    except (OSError, ValueError):
        return False  # opening it in earnest says why
