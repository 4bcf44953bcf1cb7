"""The folder of built libraries. These are executed, so that nobody else may write there.

A library is loaded only from folders that belong to this user or to root and that no other user
can write to, and only while it is what was built: its SHA-256 lies beside it. The hash tells
damage (a full disk, a lost sector); against others stand owners and permissions, since whoever
may write the library may write its hash as well.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from cuda_ops.errors import KernelError

PRIVATE = 0o700  # permissions of what is made here


def cache_folder() -> Path:
    """Return the folder of all builds; it need not exist yet.

    FACECODEC_HOME, else XDG_CACHE_HOME, else ~/.cache. A relative XDG_CACHE_HOME is ignored, as
    the XDG base directory specification demands.
    """
    if chosen := os.environ.get("FACECODEC_HOME"):
        return Path(chosen).absolute() / "kernels"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "facecodec" / "kernels"


def make_private_folder(folder: Path) -> None:
    """Make a folder, and the one it lies in, for this user alone.

    Raises KernelError when that fails.
    """
    try:
        folder.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
    except OSError as error:
        raise KernelError(f"{folder}: {error.strerror}; set FACECODEC_HOME elsewhere") from None


def refuse_if_others_write(path: Path) -> None:
    """Raise KernelError where another user may write to what `path` is, if it exists.

    A symbolic link is judged by where it leads.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise KernelError(f"{path}: {error.strerror}; set FACECODEC_HOME elsewhere") from None
    elsewhere = "set FACECODEC_HOME elsewhere"
    if facts.st_uid not in (os.geteuid(), 0):
        raise KernelError(f"{path} belongs to another user, who could plant code; {elsewhere}")
    shared_group = facts.st_mode & stat.S_IWGRP and not _private_group(facts.st_gid)
    if facts.st_mode & stat.S_IWOTH or shared_group:
        raise KernelError(
            f"other users could plant code in {path}; remove it, or {elsewhere} "
            "(chmod go-w keeps what is there)"
        )


def write_hash(library: Path) -> None:
    """Write the SHA-256 of a library beside it."""
    _hash_file(library).write_text(_sha256(library) + "\n", encoding="ascii")


def is_whole(library: Path) -> bool:
    """Whether a library is there and is what was built."""
    try:
        wanted = _hash_file(library).read_text(encoding="ascii").strip()
        return wanted == _sha256(library)
    except (OSError, UnicodeDecodeError):
        return False


def _hash_file(library: Path) -> Path:
    return library.with_name(library.name + ".sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _private_group(gid: int) -> bool:
    """Whether a group is this user's own: many systems give every user one, and umask 002."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == user and set(group.gr_mem) <= {user}
