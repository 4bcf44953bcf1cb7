"""Outputs appear whole or not at all: written under a temporary name beside them, then renamed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from facecodec.errors import UsageError


def refuse_overwrite(path: Path, force: bool) -> None:
    """Raise UsageError when `path` exists and `force` is not set, or its folder is missing."""
    if str(path) == STANDARD_OUTPUT:
        return
    if path.exists() and not force:
        raise UsageError(f"{path} exists already; -f overwrites it")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: the folder {path.parent} does not exist")


STANDARD_OUTPUT = "-"


@contextmanager
def opened_whole(path: Path) -> Iterator[BinaryIO]:
    """Open an output for writing that appears whole or not at all; `-` is standard output."""
    if str(path) == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with written_whole(path) as temporary, temporary.open("wb") as file:
        yield file


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path with the same suffix; rename it to `path` at the end, or remove it."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
