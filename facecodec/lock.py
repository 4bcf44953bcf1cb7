"""Holding a file or folder, so that no other process works on it at the same time."""

from __future__ import annotations

from facecodec.errors import UsageError


def hold(handle: int, taken: str, *, shared: bool = False) -> None:
    """Lock what an open file handle is of, until the handle is closed.

    shared: others who say so too may hold it at the same time. Raises UsageError, with `taken` as
    its words, where another process holds it. Nothing is held on a system, or a network file
    system, that has no locks.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(taken) from None
    except OSError:
        return
