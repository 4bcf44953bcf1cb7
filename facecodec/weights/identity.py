"""The identity of a set of weights: one SHA-256 that every stream and rig names."""

from __future__ import annotations

import hashlib
import json
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


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
