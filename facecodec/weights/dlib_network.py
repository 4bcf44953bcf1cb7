"""Read the tensors of dlib's face embedding from its serialised network.

dlib writes every parameter block as a tensor: version 2, four sizes, then raw little-endian
float32. Blocks are in the order in which the picture passes them, so the file is checked
against the whole architecture, and nothing else in it is interpreted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.errors import ModelError

Array = NDArray[np.float32]
# (channels, residual blocks, whether the first halves the picture), in the order of the picture
RESIDUAL_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
EMBEDDING_SIZE = 128


@dataclass(frozen=True)
class Convolution:
    """A convolution with the channel-wise affine after it folded in: [out, in, k, k] and [out]."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class FaceNetwork:
    """The stem, the pairs of convolutions of 14 residual blocks, and the last matrix [256, 128]."""

    stem: Convolution
    blocks: tuple[tuple[Convolution, Convolution], ...]
    head: Array


def read_face_network(path: Path) -> FaceNetwork:
    """Read `dlib_face_recognition_resnet_model_v1.dat`. Raises ModelError for any other file."""
    blocks = _Blocks(path)
    stem = blocks.convolution(32, 3, 7)
    pairs, channels = [], 32
    for width, count, _ in RESIDUAL_LEVELS:
        for _ in range(count):
            first = blocks.convolution(width, channels, 3)
            pairs.append((first, blocks.convolution(width, width, 3)))
            channels = width
    head = blocks.take(channels, EMBEDDING_SIZE).reshape(channels, EMBEDDING_SIZE)
    return FaceNetwork(stem, tuple(pairs), head)


def strides() -> Iterator[int]:
    """Yield the stride of each residual block, 1 or 2."""
    for _, count, halves in RESIDUAL_LEVELS:
        yield from ([2] if halves else [1]) + [1] * (count - 1)


class _Blocks:
    """Parameter blocks of one file, in order."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.position = path, path.read_bytes(), 0

    def convolution(self, out: int, into: int, side: int) -> Convolution:
        count = out * into * side * side
        both = self.take(count + out, 1)
        scale, shift = self.take(2 * out, 1).reshape(2, out)
        weight = both[:count].reshape(out, into, side, side)
        return Convolution(weight * scale[:, None, None, None], both[count:] * scale + shift)

    def take(self, rows: int, columns: int) -> Array:
        """Return the next block [rows, columns]. Raises ModelError where there is none."""
        mark = b"".join(_integer(n) for n in (2, rows, columns, 1, 1))
        mark_at = self.data.find(mark, self.position)
        start = mark_at + len(mark)
        end = start + 4 * rows * columns
        if mark_at < 0 or end > len(self.data):
            raise ModelError(
                f"{self.path} is not dlib's face embedding: no block of {rows} numbers"
            )
        self.position = end
        values = np.frombuffer(self.data[start:end], "<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise ModelError(f"{self.path} is not dlib's face embedding: a number is not finite")
        return values


def _integer(value: int) -> bytes:
    """Return dlib's encoding of a positive integer: its length in bytes, then little-endian."""
    length = (value.bit_length() + 7) // 8
    return bytes([length]) + value.to_bytes(length, "little")
