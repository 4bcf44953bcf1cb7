"""The `.fci` file that a stream refers to: the one given, or the right one beside the stream."""

from __future__ import annotations

import hashlib
from pathlib import Path

from facecodec.bitstream import IdentityFile, StreamReader, load_identity_file

MAX_PERSON_FILE_BYTES = 1 << 29  # a full tuning has at most 256 MiB


def identity_for(stream: StreamReader, given: str | Path | None = None) -> IdentityFile | None:
    """Return the identity file of a stream, None where it carries its identity itself.

    given: the file to take. Without it, the `.fci` files in the folder of the stream are searched
    for the one with the SHA-256 that the stream names; None where there is none.
    Raises UsageError when the given file is missing, StreamError when it is damaged.
    """
    if given is not None:
        return load_identity_file(given)
    wanted, path = stream.identity_reference, Path(stream.name)
    if wanted is None or not path.is_file():
        return None
    for candidate in sorted(path.absolute().parent.glob("*.fci")):
        if _sha256(candidate) == wanted:
            return load_identity_file(candidate)
    return None


def _sha256(path: Path) -> bytes | None:
    """Return the SHA-256 of a file, None where it is too large or cannot be read."""
    try:
        if path.stat().st_size > MAX_PERSON_FILE_BYTES:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
