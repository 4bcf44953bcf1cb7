"""The identity chunk: W+ against the generator's mean (SPEC.md section 7)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding.binarise import code_magnitude
from facecodec.bitstream.coding.initial_probabilities import IDENTITY, initial_probabilities
from facecodec.bitstream.coding.range_coder import Coder, RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.steps import from_levels, step_codes, steps_from_codes, to_levels
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import StreamError, UsageError

QUANTISED, EXACT = 0, 1
DEFAULT_STEP = 0.06  # of W, whose rows have a standard deviation near 0.3 to 1
_UNARY = 20  # magnitudes beyond this many steps go on as Exp-Golomb
_ACTIVITIES = 8  # how much the values before it in the row differed from those above them
CONTEXTS = _ACTIVITIES * (1 + _UNARY)
_INITIAL = initial_probabilities(IDENTITY, CONTEXTS)


def pack_identity(
    w_plus: NDArray[np.float32],
    w_mean: NDArray[np.float32],
    steps: NDArray[np.floating] | float | None = DEFAULT_STEP,
) -> bytes:
    """Return the payload of an identity chunk.

    w_plus: float32 [num_ws, w_dim]. w_mean: float32 [w_dim], the generator's mean of W. steps:
    of the quantiser, in units of W, one for all rows or [num_ws]; None stores w_plus itself.
    Raises UsageError for a latent that is not finite or too far from the mean for its steps.
    """
    w_plus = np.asarray(w_plus, np.float32)
    if not np.isfinite(w_plus).all():
        raise UsageError("the identity latent holds a number that is not finite")
    if steps is None:
        return bytes([EXACT]) + w_plus.astype("<f4").tobytes()
    codes = step_codes(np.broadcast_to(steps, len(w_plus)))
    levels = to_levels(w_plus - w_mean, steps_from_codes(codes)[:, None])
    coder = RangeEncoder(_INITIAL)
    code_levels(coder, levels.shape, levels)
    return bytes(FieldWriter().integer(QUANTISED, 1).raw(codes).raw(coder.finish()).data)


def parse_identity(
    payload: bytes, num_ws: int, w_dim: int, w_mean: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return W+, float32 [num_ws, w_dim], from the payload of an identity chunk.

    w_mean: float32 [w_dim], the generator's mean of W. Raises StreamError when the payload breaks
    the format, UsageError for a mean of another width.
    """
    fields = FieldReader(payload, "identity")
    if w_mean.shape != (w_dim,):
        raise UsageError(f"w_mean must have {w_dim} values, not {w_mean.shape}")
    if fields.integer(1, 0, EXACT, "identity coding") == EXACT:
        w_plus = np.frombuffer(fields.raw(4 * num_ws * w_dim), "<f4").reshape(num_ws, w_dim)
        fields.end()
        if not np.isfinite(w_plus).all():
            raise fields.fail("a number that is not finite")
        return w_plus.astype(np.float32)
    steps = steps_from_codes(fields.raw(num_ws))
    body = fields.rest()
    coder = RangeDecoder(body, _INITIAL)
    levels = code_levels(coder, (num_ws, w_dim), None)
    if coder.position < len(body):
        raise fields.fail(f"{len(body) - coder.position} bytes after its last value")
    return from_levels(levels, steps[:, None]) + np.asarray(w_mean, np.float32)


def code_levels(
    coder: Coder, shape: tuple[int, ...], levels: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Code levels, int64 [rows, columns] of `shape`, each predicted by the one above; return them.

    levels: to encode, None to decode. Raises StreamError for a value beyond MAX_LEVEL.
    """
    rows, width = shape
    out = np.zeros((rows, width), np.int64)
    above = [0] * width
    for row in range(rows):
        given = above if levels is None else levels[row].tolist()
        recent = 16
        line = []
        for i in range(width):
            activity = min((recent + 4) >> 3, _ACTIVITIES - 1) * (1 + _UNARY)
            residual = given[i] - above[i]
            if coder.bit(activity, int(residual != 0)):
                negative = coder.even(int(residual < 0))
                size = code_magnitude(coder, activity + 1, abs(residual), _UNARY)
                residual = -size if negative else size
            else:
                residual = size = 0
            recent += (8 * min(size, 64) - recent) >> 4
            line.append(above[i] + residual)
            if abs(line[-1]) > limits.MAX_LEVEL:
                raise StreamError("identity: a coded value is out of range")
        out[row] = above = line
    return out
