"""The `.fci` file that a stream refers to: the one given, or the right one beside the stream."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from facecodec.bitstream import IdentityFile, StreamReader, load_identity_file
from facecodec.bitstream.container.chunks import IDENTITY_MAGIC

MAX_PERSON_FILE_BYTES = 1 << 29  # a full tuning has at most 256 MiB


def identity_for(stream: StreamReader, given: str | Path | None = None) -> IdentityFile | None:
    """Return the identity file of a stream, None where it carries its identity itself.

    given: the file to take. Without it, the `.fci` files in the folder of the stream are searched
    for the one with the SHA-256 that the stream names; None where there is none.
    Raises UsageError when the given file is missing, StreamError when it is damaged.
    """
    path = beside(stream) if given is None else given
    return None if path is None else load_identity_file(path)


def beside(stream: StreamReader) -> Path | None:
    """Return the identity file, in the folder of a stream, that it refers to; None without one."""
    wanted, path = stream.identity_reference, Path(stream.name)
    if wanted is None or not path.is_file():
        return None
    candidates = sorted(path.absolute().parent.glob("*.[fF][cC][iI]"))
    return next((found for found in candidates if _sha256(found) == wanted), None)


def _sha256(path: Path) -> bytes | None:
    """Return the SHA-256 of a file, None for what cannot be read, is too large or is no person.

    A pipe or a device of that name is not waited for, and other files are not read whole.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_PERSON_FILE_BYTES:
                return None
            if file.read(len(IDENTITY_MAGIC)) != IDENTITY_MAGIC:
                return None
            file.seek(0)
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
