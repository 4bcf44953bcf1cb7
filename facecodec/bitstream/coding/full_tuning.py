"""A full tuning: a light one, and one level for every weight of the network that may change."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding.steps import step_codes, steps_from_codes, to_levels
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.bitstream.limits import MAX_WEIGHTS
from facecodec.errors import UsageError

FULL_KIND = 2  # the first byte of a full tuning
MAX_WEIGHT_LEVEL = 127  # magnitude of a level
_INFLATED_AT_ONCE = 1 << 20  # bytes


@dataclass(frozen=True)
class FullTuning:
    """The bytes of the light tuning within, weight levels int8 [N], and their step."""

    light: bytes
    levels: NDArray[np.int8]
    step: np.float32

    @property
    def values(self) -> NDArray[np.float32]:
        """Return levels times step, float32 [N]; exact."""
        return self.levels.astype(np.float32) * self.step


def quantise_full(light: bytes, values: NDArray[np.floating], step: float) -> FullTuning:
    """Return the full tuning nearest to `values` [N]; what lies beyond 127 steps is cut there."""
    exact = steps_from_codes(step_codes(np.array([step])))
    reach = MAX_WEIGHT_LEVEL * float(exact[0])
    levels = to_levels(np.clip(values, -reach, reach), exact).astype(np.int8)
    return FullTuning(light, levels, exact[0])


def pack_full(tuning: FullTuning) -> bytes:
    """Return the bytes of a full tuning. Raises UsageError when it is larger than the format."""
    if not 1 <= len(tuning.levels) <= MAX_WEIGHTS:
        raise UsageError(f"a tuning of {len(tuning.levels)} weights does not fit the format")
    head = FieldWriter().integer(FULL_KIND, 1).varint(len(tuning.light)).raw(tuning.light)
    head.raw(step_codes(np.array([tuning.step]))).varint(len(tuning.levels))
    return bytes(head.raw(zlib.compress(tuning.levels.tobytes(), 9)).data)


def parse_full(payload: bytes, weights: int) -> FullTuning:
    """Read a full tuning made for a network of this many weights.

    Raises StreamError for anything else.
    """
    fields = FieldReader(payload, "tuning")
    light, step, count = _head(fields)
    if count != weights:
        raise fields.fail(f"{count} weights, where {weights} are wanted")
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(fields.rest(), count + 1)
    except zlib.error as error:
        raise fields.fail(f"weights that cannot be read ({error})") from error
    if len(data) != count or not inflate.eof or inflate.unused_data:
        raise fields.fail(f"not the {count} weights it names")
    return FullTuning(light, np.frombuffer(data, np.int8), step)


def check_full(payload: bytes) -> bytes:
    """Return the light tuning within a full one.

    Raises StreamError where its levels are not as many as it says.

    The levels are inflated in pieces and not kept.
    """
    fields = FieldReader(payload, "tuning")
    light, _, count = _head(fields)
    inflate = zlib.decompressobj()
    data, size = fields.rest(), 0
    try:
        while data and size <= count and not inflate.eof:
            size += len(inflate.decompress(data, _INFLATED_AT_ONCE))
            data = inflate.unconsumed_tail
    except zlib.error as error:
        raise fields.fail(f"weights that cannot be read ({error})") from error
    if size != count or not inflate.eof or inflate.unused_data:
        raise fields.fail(f"not the {count} weights it names")
    return light


def _head(fields: FieldReader) -> tuple[bytes, np.float32, int]:
    """Take everything before the levels: the light tuning, the step, the number of weights."""
    if fields.integer(1) != FULL_KIND:
        raise fields.fail("a kind of tuning this program does not know")
    light = fields.raw(fields.varint(1, len(fields.data), "bytes of the light tuning"))
    step = steps_from_codes(fields.raw(1))[0]
    return light, step, fields.varint(1, MAX_WEIGHTS, "weights")
