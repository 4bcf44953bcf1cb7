"""Quantiser steps: one byte each, exact in binary, set from the rig and one quality number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.limits import MAX_LEVEL
from facecodec.errors import UsageError

RIG_QUALITY = 60  # at which the steps of a rig hold, by SPEC.md section 4
DEFAULT_QUALITY = RIG_QUALITY
HALF_OCTAVE_CODES = 8  # a code is a point of quality, so 16 points double or halve every step

# A step is (16 + mantissa) * 2^(exponent - 16): from 0.00024 to 15.5, 16 to an octave.
# Below 2^24 / 31 every integer times such a step is exact in float32.
ALL_STEPS: NDArray[np.float32] = np.ldexp(
    np.float32(16) + np.arange(256, dtype=np.float32) % 16, np.arange(256) // 16 - 16
).astype(np.float32)


def step_codes(steps: NDArray[np.floating]) -> bytes:
    """Return the byte of the nearest storable step for each positive value [K]."""
    middles = (ALL_STEPS[1:].astype(np.float64) + ALL_STEPS[:-1]) / 2
    return np.searchsorted(middles, np.asarray(steps, np.float64)).astype(np.uint8).tobytes()


def steps_from_codes(codes: bytes) -> NDArray[np.float32]:
    """Return the float32 steps [K] that K bytes stand for; any byte is a valid step."""
    return ALL_STEPS[np.frombuffer(codes, np.uint8)]


def control_steps(
    base_steps: NDArray[np.floating], quality: int = DEFAULT_QUALITY
) -> NDArray[np.float32]:
    """Scale the rig's steps by the quality number.

    base_steps: [num_controls], positive, in rig units: the steps at quality 60, of which the
    nearest half octave is taken, so that they differ by few values and cost few bytes.
    quality: 0 (coarse) to 100 (fine); 16 points halve the step.
    Returns float32 [num_controls], each a step a stream can name.
    Raises UsageError when the quality or a step is out of range.
    """
    if not 0 <= quality <= 100:
        raise UsageError(f"quality {quality} is not in 0 to 100")
    if not np.all(np.isfinite(base_steps)) or np.any(np.asarray(base_steps) <= 0):
        raise UsageError("quantiser steps must be positive numbers")
    codes = np.frombuffer(step_codes(base_steps), np.uint8).astype(int)
    coarse = (codes + HALF_OCTAVE_CODES // 2) // HALF_OCTAVE_CODES * HALF_OCTAVE_CODES
    result: NDArray[np.float32] = ALL_STEPS[np.clip(coarse + RIG_QUALITY - quality, 0, 255)]
    return result


def to_levels(values: NDArray[np.floating], steps: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return values [..., K] / steps [K] rounded to integers, halves away from zero.

    Raises UsageError for a value that is not finite or lies beyond the 2^18 levels either side.
    """
    scaled = np.asarray(values, np.float64) / steps
    if not np.all(np.abs(scaled) <= MAX_LEVEL):
        raise UsageError("a value is not finite or too large for its quantiser step")
    return (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int64)


def from_levels(levels: NDArray[np.int64], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return levels [..., K] * steps [K] as float32, exactly, so the same on every machine."""
    return levels.astype(np.float32) * steps
