"""Inputs from pipes, for commands that read an input more than once or ask what kind it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from facecodec.arguments import is_pipe, opened_input
from facecodec.atomic import STANDARD_OUTPUT, scratch_folder
from facecodec.bitstream.container.chunks import IDENTITY_MAGIC, STREAM_MAGIC
from facecodec.errors import FacecodecError, UsageError

STANDARD_INPUT = STANDARD_OUTPUT  # both are written -
_SUFFIXES = {STREAM_MAGIC: ".fcv", IDENTITY_MAGIC: ".fci"}


@contextmanager
def rereadable(*paths: str | Path | None) -> Iterator[tuple[Path | None, ...]]:
    """Yield files that can be read again, in the order of `paths`: each, or a copy of a pipe.

    `-` is standard input. A copy ends as a stream or an identity file does where it is one, and is
    removed at the end; errors call it by the pipe's name. Raises UsageError for two inputs on
    standard input and where that is closed, FacecodecError where there is no space for a copy.
    """
    if sum(str(path) == STANDARD_INPUT for path in paths) > 1:
        raise UsageError("standard input can be only one of the inputs")
    names: dict[str, str] = {}  # what errors call each copy
    with ExitStack() as stack:
        result: list[Path | None] = []
        for path in paths:
            piped = path is not None and (str(path) == STANDARD_INPUT or is_pipe(path))
            if path is None or not piped:
                result.append(None if path is None else Path(path))
                continue
            copy = _copied(path, stack.enter_context(scratch_folder()))
            names[str(copy)] = _name(path)
            result.append(copy)
        try:
            yield tuple(result)
        except FacecodecError as error:
            error.args = tuple(_renamed(text, names) for text in error.args)
            raise


def _copied(path: str | Path, folder: Path) -> Path:
    """Return a copy in `folder` of all that comes through a pipe."""
    copy = folder / "copy"
    try:
        with _opened(path) as source, copy.open("wb") as file:
            head = source.read(max(map(len, _SUFFIXES)))
            file.write(head)
            shutil.copyfileobj(source, file)
    except OSError as error:
        raise FacecodecError(f"{_name(path)}: cannot be copied ({error.strerror})") from error
    suffix = next((text for magic, text in _SUFFIXES.items() if head.startswith(magic)), "")
    return copy.rename(folder / f"{Path(_name(path)).name.replace(' ', '-')}{suffix}")


def _opened(path: str | Path) -> AbstractContextManager[BinaryIO]:
    if str(path) != STANDARD_INPUT:
        return opened_input(path, "an input", pipe=True)
    given = getattr(sys.stdin, "buffer", None)
    if given is None:
        raise UsageError("standard input is closed: there is nothing to read")
    return nullcontext(given)  # whose it is closes it


def _name(path: str | Path) -> str:
    return "standard input" if str(path) == STANDARD_INPUT else str(path)


def _renamed(text: object, names: dict[str, str]) -> object:
    if isinstance(text, str):
        for copy, name in names.items():
            text = text.replace(copy, name)
    return text
