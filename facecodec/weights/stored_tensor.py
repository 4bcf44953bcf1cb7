"""Tensors that lie in a file: a strided view of a storage, whose every bound is checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facecodec.errors import ModelError

MAX_DIMENSIONS = 8
MAX_ELEMENTS = 1 << 40  # along one dimension, or of an offset or stride
MAX_READ_RATIO = 4  # times its own size that may be read out of a file
MAX_EXTRA_READ_BYTES = 1 << 20  # beside that: small tensors may share a storage

DTYPES = {
    "FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1",
    "BoolStorage": "<u1", "BFloat16Storage": "<u2",
}  # fmt: skip
_READABLE = ("<f4", "<f2")


class Allowance:
    """Bytes that may still be read out of a file: tensors that share storages must not add up."""

    def __init__(self, file_bytes: int) -> None:
        self._left = MAX_READ_RATIO * file_bytes + MAX_EXTRA_READ_BYTES

    def take(self, size: int) -> None:
        """Count `size` bytes. Raises ModelError when it is too much."""
        self._left -= size
        if self._left < 0:
            raise ModelError("its tensors are far larger than the file they lie in: refused")


@dataclass(frozen=True)
class Storage:
    """One flat array in the file: its kind, its number of elements, and how to fetch its bytes."""

    kind: str
    count: int
    fetch: Callable[[], bytes]


@dataclass(frozen=True)
class StoredTensor:
    """A strided view of a storage. Bounds are checked when it is made, bytes when it is read."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def drop(self, *axes: int) -> StoredTensor:
        """Return the tensor without these axes of length 1. Raises ModelError for other lengths."""
        if any(axis >= len(self.shape) or self.shape[axis] != 1 for axis in axes):
            raise ModelError(f"a tensor of shape {self.shape} should have length 1 on axes {axes}")
        kept = [i for i in range(len(self.shape)) if i not in axes]
        return replace(
            self,
            shape=tuple(self.shape[i] for i in kept),
            stride=tuple(self.stride[i] for i in kept),
        )

    def read(self) -> np.ndarray:
        """Return the values as float32, row-major. Raises ModelError unless floats and finite."""
        dtype = DTYPES[self.storage.kind]
        if dtype not in _READABLE:
            raise ModelError(
                f"a weight is a {self.storage.kind}; only float32 and float16 are read"
            )
        data = self.storage.fetch()
        size = np.dtype(dtype).itemsize
        if len(data) != self.storage.count * size:
            raise ModelError(
                f"a storage of {self.storage.count} numbers has {len(data)} bytes: the file is "
                "damaged or cut short"
            )
        flat = np.frombuffer(data, dtype)[self.offset :]
        strides = tuple(step * size for step in self.stride)
        view = np.lib.stride_tricks.as_strided(flat, self.shape, strides, writeable=False)
        values = np.array(view, dtype=np.float32, order="C")
        if not np.isfinite(values).all():
            raise ModelError("a weight is infinite or not a number: the file is damaged")
        return values


def rebuild_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    """Do what torch._utils._rebuild_tensor_v2 does, with every bound checked.

    Raises ModelError for a tensor that reaches beyond its storage.
    """
    numbers = (offset, *shape, *stride)
    if (
        not isinstance(storage, Storage)
        or not all(isinstance(n, int) and 0 <= n <= MAX_ELEMENTS for n in numbers)
        or not isinstance(shape, tuple)
        or not isinstance(stride, tuple)
        or len(shape) != len(stride)
        or len(shape) > MAX_DIMENSIONS
        or math.prod(shape) > storage.count
    ):
        raise ModelError("a tensor is larger than the storage it lies in: refused")
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if math.prod(shape) and last >= storage.count:
        raise ModelError("a tensor reaches beyond the storage it lies in: refused")
    return StoredTensor(storage, offset, shape, stride)
