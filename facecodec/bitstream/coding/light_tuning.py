"""A light tuning: one row of levels for the person's styles, one for every control's response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding.binarise import code_magnitude
from facecodec.bitstream.coding.range_coder import (
    PROBABILITY_HALF,
    Coder,
    RangeDecoder,
    RangeEncoder,
)
from facecodec.bitstream.coding.steps import step_codes, steps_from_codes, to_levels
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import StreamError, UsageError

LIGHT_KIND = 1  # the first byte of a light tuning
_UNARY = 12
_VALUE_CONTEXTS = 2 + _UNARY  # of one value: zero or not, one unused, its magnitude
_ACTIVITIES = 6  # how large the values before it in the row were
_ABOVE_SIZES = 3  # how large the value above it was
CONTEXTS = 2 * _ACTIVITIES * _ABOVE_SIZES * _VALUE_CONTEXTS


@dataclass(frozen=True)
class LightTuning:
    """Levels int64 [1 + num_controls, num_styles] and their steps float32 [1 + num_controls].

    Row 0 is added to the person's styles, row 1 + k to what control k does, both in units of the
    generator's spread of each channel.
    """

    levels: NDArray[np.int64]
    steps: NDArray[np.float32]

    @property
    def values(self) -> NDArray[np.float32]:
        """Return levels times steps, float32 [1 + num_controls, num_styles]; exact."""
        return self.levels.astype(np.float32) * self.steps[:, None]


def quantise_light(values: NDArray[np.floating], steps: NDArray[np.floating]) -> LightTuning:
    """Return the light tuning nearest to values [rows, num_styles], one step a row."""
    exact = steps_from_codes(step_codes(steps))
    return LightTuning(to_levels(values, exact[:, None]), exact)


def pack_light(tuning: LightTuning) -> bytes:
    """Return the bytes of a light tuning. Raises UsageError when it is larger than the format."""
    rows, styles = tuning.levels.shape
    if not 1 <= rows <= limits.MAX_CONTROLS + 1 or not 1 <= styles <= limits.MAX_STYLES:
        raise UsageError(f"a tuning of {rows} rows of {styles} styles does not fit the format")
    head = FieldWriter().integer(LIGHT_KIND, 1).integer(rows, 1).integer(styles, 4)
    head.raw(step_codes(tuning.steps))
    coder = RangeEncoder([PROBABILITY_HALF] * CONTEXTS)
    code_rows(coder, rows, styles, tuning.levels)
    return bytes(head.raw(coder.finish()).data)


def parse_light(payload: bytes, num_controls: int, num_styles: int) -> LightTuning:
    """Read a light tuning made for this many controls and styles.

    Raises StreamError for anything else.
    """
    fields = FieldReader(payload, "tuning")
    rows, styles = _shape(fields)
    if (rows, styles) != (num_controls + 1, num_styles):
        raise fields.fail(f"{rows} rows of {styles} styles, where {num_controls + 1} rows of "
                          f"{num_styles} are wanted")  # fmt: skip
    return _levels(fields, rows, styles)


def check_light(payload: bytes, num_controls: int | None) -> None:
    """Raise StreamError for a light tuning that breaks the format; any number of styles will do.

    num_controls: those of the stream, None where they are not known.
    """
    fields = FieldReader(payload, "tuning")
    rows, styles = _shape(fields)
    if num_controls is not None and rows != num_controls + 1:
        raise fields.fail(f"{rows} rows, where {num_controls + 1} are wanted")
    _levels(fields, rows, styles)


def _shape(fields: FieldReader) -> tuple[int, int]:
    """Take the kind, and the number of rows and of styles."""
    if fields.integer(1) != LIGHT_KIND:
        raise fields.fail("a kind of tuning this program does not know")
    rows = fields.integer(1, 1, limits.MAX_CONTROLS + 1, "rows")
    return rows, fields.integer(4, 1, limits.MAX_STYLES, "styles")


def _levels(fields: FieldReader, rows: int, styles: int) -> LightTuning:
    """Take the steps and the body, which are the rest."""
    steps = steps_from_codes(fields.raw(rows))
    body = fields.rest()
    coder = RangeDecoder(body, [PROBABILITY_HALF] * CONTEXTS)
    levels = code_rows(coder, rows, styles, None)
    if coder.position < len(body):
        raise fields.fail(f"{len(body) - coder.position} bytes after its last value")
    return LightTuning(levels, steps)


def code_rows(
    coder: Coder, rows: int, styles: int, levels: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Code rows of levels, int64 [rows, styles], in turn; return them.

    levels: to encode, None to decode. Raises StreamError for a value beyond MAX_LEVEL.
    The context of a value is whether it is of row 0, how large the values before it were, and how
    large the value above it was.
    """
    out = np.zeros((rows, styles), np.int64)
    above = [0] * styles
    for row in range(rows):
        given = above if levels is None else levels[row].tolist()
        line: list[int] = []
        recent = 8
        kind = 0 if row == 0 else _ACTIVITIES
        for i in range(styles):
            activity = kind + min(recent >> 3, _ACTIVITIES - 1)
            size_above = min(abs(above[i]), _ABOVE_SIZES - 1)
            context = (activity * _ABOVE_SIZES + size_above) * _VALUE_CONTEXTS
            value = given[i]
            if coder.bit(context, int(value != 0)):
                negative = coder.even(int(value < 0))
                size = code_magnitude(coder, context + 2, abs(value), _UNARY)
                value = -size if negative else size
            else:
                value = size = 0
            if size > limits.MAX_LEVEL:
                raise StreamError("tuning: a coded value is out of range")
            recent += ((min(size, 8) << 4) - recent) >> 4
            line.append(value)
        out[row] = line
        above = line
    return out
