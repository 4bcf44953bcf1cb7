"""Arrays by name, from one process of this package to another over a pipe."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

MAX_BYTES = 1 << 26  # of a message: a picture of 4096x4096 pixels fits
LEARNT = "learnt."  # how names of what tracking begins with begin
_LENGTH = struct.Struct("<I")
Arrays = Mapping[str, NDArray[Any]]


def write_message(file: IO[bytes], arrays: Arrays) -> None:
    """Write arrays of any shapes. Raises BrokenPipeError when the reader is gone."""
    # safetensors writes memory as it lies, whatever the strides say
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    file.write(_LENGTH.pack(len(data)) + data)
    file.flush()


def read_message(file: IO[bytes]) -> dict[str, NDArray[Any]] | None:
    """Return the next arrays; None at the end, and where the other side stopped in the middle.

    Raises ValueError for what is no message.
    """
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    if size > MAX_BYTES:
        raise ValueError(f"a message of {size} bytes")
    data = file.read(size)
    return load(data) if len(data) == size else None


def as_array(data: bytes) -> NDArray[np.uint8]:
    """Return bytes as an array, uint8 [N]."""
    return np.frombuffer(data, np.uint8)
