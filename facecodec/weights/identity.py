"""The identity of a set of weights: one SHA-256 that every stream and rig names."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facecodec.errors import ModelError


def tensor_sha256(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the identity of named tensors, 64 hexadecimal digits.

    SHA-256 over the tensors in the order of their names (sorted as Unicode strings). Each adds one
    line, the JSON array `["name","F32",[shape]]` in ASCII without spaces and with a newline, and
    then its values, row-major, as little-endian float32. The file format does not enter, so the
    same network has one identity whichever checkpoint it came from.

    Raises ModelError for a tensor that is not float32.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        if value.dtype != np.float32:
            raise ModelError(f"tensor {name} is {value.dtype}, not float32")
        header = json.dumps([name, "F32", list(value.shape)], separators=(",", ":"))
        digest.update(header.encode("ascii") + b"\n")
        digest.update(np.ascontiguousarray(value, dtype="<f4").tobytes())
    return digest.hexdigest()


# Seconds for which a file has been as it is before its hash is kept: times of files advance in
# steps of some milliseconds, and a change within one would not be seen.
SETTLED_SECONDS = 2.0

# By path: a file's hash, and what else changes when its content does.
_kept: dict[str, tuple[tuple[int, ...], str]] = {}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unchanged_file_sha256(path: Path) -> str:
    """Return `file_sha256`, which is kept by this process for as long as the file stays as it is.

    That it does is told by its inode, size and both of its times. Models of a hundred megabytes
    are asked for several times in an encode.
    """
    at = path.stat()
    state = (at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
    before, digest = _kept.get(str(path), ((), ""))
    if before == state:
        return digest
    digest = file_sha256(path)
    if time.time() - max(at.st_mtime, at.st_ctime) > SETTLED_SECONDS:
        _kept[str(path)] = state, digest
    return digest
