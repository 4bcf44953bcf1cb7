"""Outputs appear whole or not at all: written under a temporary name beside them, then renamed.

What cannot be renamed over (a device, a pipe, standard output) is written straight into. An output
that cannot be written is refused before the work begins: `refuse_overwrite`.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from facecodec.errors import ExistsError, FacecodecError, UsageError
from facecodec.pipe import PipeWriter
from facecodec.temporary import Temporary, sweep, temporary

STANDARD_OUTPUT = "-"

_PROBE_BYTES = 1 << 16  # written and removed, to see that there is any space at all
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FLUSHING = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)  # of file systems that cannot


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
    refuse_inputs(path, inputs)
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
        with temporary(folder) as made, _opened(made) as file:
            file.write(bytes(_PROBE_BYTES))
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
    with _replacing(Path(path)) as made, _opened(made) as file:
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
    with _replacing(path, keep_mode) as made:
        yield made.path


@contextmanager
def _replacing(path: Path, keep_mode: bool = True) -> Iterator[Temporary]:
    """Yield a temporary file; at the end it takes the place of `path`."""
    target = _target(path)
    mode = None
    if keep_mode and target.is_file():
        mode = stat.S_IMODE(target.stat().st_mode) & 0o777
    with _readable_errors(path), temporary(target.parent) as made:
        yield made
        if mode is not None:
            os.fchmod(made.handle, mode)
        _flush(made.handle)
        made.name.replace(target)
        _flush_folder(target.parent)


def _opened(made: Temporary) -> BinaryIO:
    """Open a temporary file for writing, by its handle."""
    return cast(BinaryIO, os.fdopen(os.dup(made.handle), "wb"))


@contextmanager
def folder_whole(parent: Path) -> Iterator[Path]:
    """Yield a temporary folder; at the end the files in it move to `parent`, or all vanish.

    Raises FacecodecError when a file cannot be written, or would replace a device or a pipe.
    """
    with ExitStack() as stack:
        stack.enter_context(_readable_errors(parent))
        folder = stack.enter_context(temporary(parent, folder=True)).path
        yield folder
        files = sorted(folder.iterdir())
        for file in files:
            if _is_special(parent / file.name):
                raise FacecodecError(f"{parent / file.name}: is no file; it is not replaced")
        for file in files:
            file.replace(parent / file.name)
        _flush_folder(parent)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder for intermediate files that only this user can read; it vanishes at the end.

    Those of processes that were killed are removed.
    """
    parent = Path(tempfile.gettempdir())
    sweep(parent)
    with _readable_errors(parent), temporary(parent, folder=True, private=True) as made:
        yield made.name


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


def refuse_inputs(path: Path, inputs: Sequence[str | Path | None]) -> None:
    """Raise UsageError where `path` is one of the inputs."""
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


def _flush(handle: int) -> None:
    """Have the system put a file on the disk, so that a rename never outruns its data."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FLUSHING:
            raise


def _flush_folder(path: Path) -> None:
    """Have the system put a folder on the disk, where that can be done."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
