"""Outputs appear whole or not at all: written under a temporary name beside them, then renamed.

What cannot be renamed over (a device, a pipe, standard output) is written straight into. An output
that cannot be written is refused before the work begins: `refuse_overwrite`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from facecodec.errors import ExistsError, FacecodecError, UsageError
from facecodec.pipe import PipeWriter

STANDARD_OUTPUT = "-"

_PREFIX, _SUFFIX = ".facecodec-", ".part"
_PROBE_BYTES = 1 << 16  # written and removed, to see that there is any space at all
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refuse_overwrite(
    path: str | Path, force: bool, inputs: Sequence[str | Path | None] = ()
) -> None:
    """Raise UsageError unless `path` can be written, before any work is done.

    Refused are: one of the `inputs`; a file that exists, unless `force`; a folder, a block device,
    a link to nothing; a name or a folder that the system does not take, tried by writing a small
    temporary file beside it. A device such as /dev/null and a named pipe are outputs, and stay.
    """
    if str(path) == STANDARD_OUTPUT:
        if sys.stdout is None:
            raise UsageError("standard output is closed; name a file, or give it a reader")
        if sys.stdout.isatty():
            raise UsageError("standard output is a terminal; redirect it to a file or a pipe")
        return
    path = Path(path)
    _refuse_inputs(path, inputs)
    if _is_special(path):
        if not os.access(path, os.W_OK):
            raise UsageError(f"{path}: cannot be written to (permission denied)")
        return
    target = _target(path)
    if target.exists():
        if not force:
            raise ExistsError(f"{path} exists already")
        _refuse_foreign(path, target)
    probe(target.parent, path)


def refuse_folder(folder: Path, path: Path) -> None:
    """Raise UsageError unless `folder`, in which `path` is to be made, is one."""
    if not folder.is_dir():
        raise UsageError(f"{path}: the folder {folder} does not exist")


def probe(folder: Path, path: Path) -> None:
    """Raise UsageError unless a file can be made and filled in `folder`, for the sake of `path`.

    Removes what writers that were killed have left there.
    """
    refuse_folder(folder, path)
    sweep(folder)
    try:
        with _temporary(folder) as temporary:
            temporary.write_bytes(bytes(_PROBE_BYTES))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from error


@contextmanager
def opened_whole(path: str | Path) -> Iterator[BinaryIO]:
    """Open an output for writing that appears whole or not at all; `-` is standard output."""
    if str(path) == STANDARD_OUTPUT:
        with _readable_errors("standard output"):
            yield _standard_output()
            sys.stdout.buffer.flush()
        return
    if _is_special(Path(path)):
        with _readable_errors(path), Path(path).open("wb", buffering=0) as device:
            yield cast(BinaryIO, PipeWriter(device.fileno()))
        return
    with written_whole(Path(path)) as temporary, temporary.open("wb") as file:
        yield file


class _Abandoned(Exception):
    """The outputs of a stack are not to be."""


def abandon(outputs: ExitStack) -> None:
    """End the contexts of a stack as a failure would: what was written in them is removed."""
    outputs.__exit__(_Abandoned, _Abandoned(), None)


def _standard_output() -> BinaryIO:
    try:
        sys.stdout.flush()
        return cast(BinaryIO, PipeWriter(sys.stdout.fileno()))
    except OSError:  # a stand-in without a descriptor
        return sys.stdout.buffer


@contextmanager
def written_whole(path: Path, keep_mode: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to `path` at the end, or remove it.

    Where `path` is a device or a named pipe, it is yielded itself. A link stays, and what it leads
    to is replaced. A new file has the permissions that the umask leaves; one that replaces another
    has the other's unless `keep_mode` is off. Raises FacecodecError when there is no space.
    """
    if _is_special(path):
        with _readable_errors(path):
            yield path
        return
    target = _target(path)
    mode = None
    if keep_mode and target.is_file():
        mode = stat.S_IMODE(target.stat().st_mode) & 0o777
    with _readable_errors(path), _temporary(target.parent) as temporary:
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        _flush(temporary)
        temporary.replace(target)
        _flush(target.parent)


@contextmanager
def folder_whole(parent: Path) -> Iterator[Path]:
    """Yield a temporary folder; at the end the files in it move to `parent`, or all vanish.

    Raises FacecodecError when a file cannot be written, or would replace a device or a pipe.
    """
    with ExitStack() as stack:
        stack.enter_context(_readable_errors(parent))
        folder = stack.enter_context(_temporary(parent, folder=True))
        yield folder
        files = sorted(folder.iterdir())
        for file in files:
            if _is_special(parent / file.name):
                raise FacecodecError(f"{parent / file.name}: is no file; it is not replaced")
        for file in files:
            file.replace(parent / file.name)
        _flush(parent)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder for intermediate files that only this user can read; it vanishes at the end.

    Those of processes that were killed are removed.
    """
    parent = Path(tempfile.gettempdir())
    sweep(parent)
    with _readable_errors(parent), _temporary(parent, folder=True) as folder:
        folder.chmod(0o700)
        yield folder


def sweep(folder: Path) -> None:
    """Remove the temporaries in `folder` whose writers are gone: nobody holds their lock."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX):
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


@contextmanager
def _temporary(parent: Path, folder: bool = False) -> Iterator[Path]:
    """Make a file or folder of a name nobody can guess; remove it at the end if it is still there.

    Its lock, held as long as it exists, tells `sweep` that it is in use.
    """
    while True:
        path = parent / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        try:
            handle = _made(path, folder)
        except OSError as error:
            raise UsageError(f"{parent}: cannot be written to ({error.strerror})") from error
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():  # not swept between its making and its lock
            break
        os.close(handle)
    try:
        yield path
    finally:
        _remove(path)
        os.close(handle)


def _made(path: Path, folder: bool) -> int:
    """Make a file or folder that is not there yet and return a handle to it."""
    if folder:
        path.mkdir()
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)


def _target(path: Path) -> Path:
    """Return the file that writing to `path` replaces: `path`, or what a link leads to.

    Raises UsageError for what is no file and for a name the system does not take.
    """
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return path
    except NotADirectoryError:
        raise UsageError(f"{path}: the folder {path.parent} does not exist") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path}: cannot be written ({why})") from error
    if stat.S_ISLNK(kind):
        if not path.exists():
            raise UsageError(f"{path} is a link to something that is not there; remove it first")
        path = path.resolve()
        kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise UsageError(f"{path} is a folder; name a file")
    if not stat.S_ISREG(kind):
        raise UsageError(f"{path} is no file, and is not replaced; choose another output")
    return path


def _is_special(path: Path) -> bool:
    """Return whether `path` is, or leads to, a device or pipe that can be written into."""
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)


def _refuse_inputs(path: Path, inputs: Sequence[str | Path | None]) -> None:
    for given in inputs:
        if given is None or str(given) == STANDARD_OUTPUT:
            continue
        with suppress(OSError, ValueError):
            if path.samefile(given) and not _is_special(path):
                raise UsageError(f"{path} is an input of this command; choose another output")


def _refuse_foreign(path: Path, target: Path) -> None:
    """Refuse to replace somebody else's file in a folder where only its owner may (/tmp)."""
    folder, user = target.parent.stat(), os.geteuid()
    if folder.st_mode & stat.S_ISVTX and user not in (0, folder.st_uid, target.stat().st_uid):
        raise UsageError(f"{path} belongs to somebody else, who alone may replace it")


@contextmanager
def _readable_errors(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise FacecodecError(f"{path}: cannot be written ({error.strerror})") from error
        raise


def _flush(path: Path) -> None:
    """Have the system put a file or folder on the disk, so that a rename never outruns its data."""
    with suppress(OSError):  # a folder cannot be flushed everywhere
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
