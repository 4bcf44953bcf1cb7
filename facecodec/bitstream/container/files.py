"""Open `.fcv` and `.fci` files by path, with errors that name the file."""

from __future__ import annotations

import sys
from pathlib import Path

from facecodec.arguments import opened_input
from facecodec.bitstream.container.chunks import IDENTITY_MAGIC
from facecodec.bitstream.container.identity_file import IdentityFile, read_identity
from facecodec.bitstream.container.reader import StreamReader
from facecodec.errors import UsageError


def open_stream(path: str | Path) -> StreamReader:
    """Open a `.fcv` file for reading; `-` is standard input.

    Raises UsageError when it is missing, StreamError when it is damaged.
    """
    if str(path) == "-":
        given = getattr(sys.stdin, "buffer", None)
        if given is None:
            raise UsageError("standard input is closed: there is no stream to read")
        return StreamReader(given, "standard input")
    file = opened_input(path, "a .fcv file", pipe=True)
    try:
        return StreamReader(file, str(path))
    except BaseException:
        file.close()
        raise


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
