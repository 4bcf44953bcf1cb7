"""Temporary files and folders: names nobody can guess, and a lock that says they are in use.

They are reached by the handle they were made with. In a folder to which others write too, a name
may lead somewhere else by the time it is used.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from facecodec.errors import UsageError

PREFIX, SUFFIX = ".facecodec-", ".part"
_PUBLIC_FOLDER, _PRIVATE_FOLDER = 0o777, 0o700  # permissions, of which the umask takes some away


@dataclass(frozen=True)
class Temporary:
    """A temporary file or folder. name: its path. handle: an open descriptor, which is locked."""

    name: Path
    handle: int

    @property
    def path(self) -> Path:
        """Return a path to what was made, even if something else has its name by now."""
        held = Path(f"/proc/self/fd/{self.handle}")
        return held if held.exists() else self.name


@contextmanager
def temporary(parent: Path, *, folder: bool = False, private: bool = False) -> Iterator[Temporary]:
    """Make a temporary file, or a folder, in `parent`; remove it at the end if it is still there.

    private: a folder that only this user can read. Its lock, held as long as it exists, tells
    `sweep` that it is in use. Raises UsageError where nothing can be made.
    """
    made = None
    while made is None:
        path = parent / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        try:
            handle = _made(path, folder, private)
            made = None if handle is None else _locked(path, handle)
        except OSError as error:
            raise UsageError(f"{parent}: cannot be written to ({error.strerror})") from error
    try:
        yield made
    finally:
        _remove(made.name)
        os.close(made.handle)


def sweep(folder: Path) -> None:
    """Remove the temporaries in `folder` whose writers are gone: nobody holds their lock."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    _remove_if_stale(Path(entry.path))


def _remove_if_stale(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _made(path: Path, folder: bool, private: bool) -> int | None:
    """Make a file or folder that is not there yet and return a handle to it.

    None where a sweep came between the two steps that a folder takes.
    """
    if not folder:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    path.mkdir(_PRIVATE_FOLDER if private else _PUBLIC_FOLDER)
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    return None


def _locked(path: Path, handle: int) -> Temporary | None:
    """Lock what was made; None where a sweep came first, which takes it for left behind."""
    try:
        with suppress(OSError):  # some network file systems have no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return None
        if os.path.samestat(path.lstat(), os.fstat(handle)):
            return Temporary(path, handle)
    except FileNotFoundError:
        pass
    os.close(handle)
    return None
