"""Arguments of the public functions, checked before any work: whole numbers, files to read."""

from __future__ import annotations

import operator
import stat
from pathlib import Path
from typing import BinaryIO, SupportsIndex

from facecodec.errors import UsageError


def whole(value: SupportsIndex, name: str, least: int = 0, most: int | None = None) -> int:
    """Return the argument called `name` as an int.

    Raises UsageError for what is no whole number (True, 1024.0 and "256" are none), and for one
    below `least` or above `most`.
    """
    wanted = f"at least {least}" if most is None else f"{least} to {most}"
    words = name.replace("_", " ")
    try:
        number = operator.index(value)
        if isinstance(value, bool):
            raise TypeError
    except TypeError:
        raise UsageError(
            f"{words} {value!r} is no whole number; give {wanted}", argument=name
        ) from None
    if number < least or (most is not None and number > most):
        range_ = wanted if most is None else f"in {wanted}"
        raise UsageError(f"{words} {number} is not {range_}", argument=name)
    return number


def whole_or_none(value: SupportsIndex | None, name: str, least: int = 0) -> int | None:
    """Return the same for an argument that may be left out."""
    return None if value is None else whole(value, name, least)


def opened_input(path: str | Path, what: str, *, pipe: bool = False) -> BinaryIO:
    """Open a file for reading.

    what: what it should be, such as "a rig". pipe: whether it may be a pipe or a device, which may
    keep its reader waiting. Raises UsageError for what is missing or cannot be opened.
    """
    try:
        if pipe or stat.S_ISREG(Path(path).stat().st_mode):
            return Path(path).open("rb")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path}: is a folder, not {what}") from error
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read ({why})") from error
    kind = "a folder" if Path(path).is_dir() else "no regular file"
    raise UsageError(f"{path}: is {kind}, not {what}")


def is_pipe(path: str | Path) -> bool:
    """Return whether a path leads to a pipe; False for one that leads nowhere."""
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False
