"""A small tuning: a row of levels for the person's styles, and few directions shared by controls.

What a person's controls do beyond what the rig says is much alike: a few changes of the styles, of
which every control takes its share, say nearly as much as a row for each control in a light tuning,
in a fifth of its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding.light_tuning import CONTEXTS, code_rows
from facecodec.bitstream.coding.range_coder import PROBABILITY_HALF, RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.steps import ALL_STEPS, step_codes, steps_from_codes, to_levels
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import UsageError

SMALL_KIND = 3  # the first byte of a small tuning
MAX_SHARE_LEVEL = 127  # magnitude of a share's level


@dataclass(frozen=True)
class SmallTuning:
    """Levels int64 [1 + D, num_styles] and their steps float32 [1 + D]; shares int8 [K, D], too.

    Row 0 is added to the person's styles. Control k of K adds its shares of the D directions, which
    are the other rows; `share_steps` float32 [D] are a share's unit, one a direction. All in units
    of the generator's spread of each channel.
    """

    levels: NDArray[np.int64]
    steps: NDArray[np.float32]
    shares: NDArray[np.int8]
    share_steps: NDArray[np.float32]

    @property
    def values(self) -> NDArray[np.float32]:
        """Return what a light tuning would say, float32 [1 + K, num_styles].

        Of products of integers times a step that is exact in double precision, added one direction
        after the other: the same on every machine.
        """
        effects = np.zeros((len(self.shares), self.levels.shape[1]))
        units = self.steps[1:].astype(np.float64) * self.share_steps.astype(np.float64)
        for unit, row, share in zip(units, self.levels[1:], self.shares.T, strict=True):
            effects += np.outer(share.astype(np.int64), row) * unit
        at_rest = self.levels[:1].astype(np.float32) * self.steps[0]
        return np.concatenate([at_rest, effects.astype(np.float32)])


def quantise_small(
    rows: NDArray[np.floating], shares: NDArray[np.floating], step: float
) -> SmallTuning:
    """Return the small tuning nearest to rows [1 + D, num_styles] and shares [K, D].

    step: of the rows, in units of the generator's spread. The largest share of a direction gets
    the largest level there is, or the one before.
    """
    steps = steps_from_codes(step_codes(np.full(len(rows), step)))
    finest = np.abs(shares).max(0) / (MAX_SHARE_LEVEL - 0.5)
    share_steps = ALL_STEPS[np.searchsorted(ALL_STEPS, finest).clip(max=len(ALL_STEPS) - 1)]
    return SmallTuning(
        to_levels(rows, steps[:, None]),
        steps,
        to_levels(shares, share_steps).astype(np.int8),
        share_steps,
    )


def pack_small(tuning: SmallTuning) -> bytes:
    """Return the bytes of a small tuning. Raises UsageError when it is larger than the format."""
    (controls, directions), styles = tuning.shares.shape, tuning.levels.shape[1]
    fits = 1 <= controls <= limits.MAX_CONTROLS and 1 <= directions <= limits.MAX_CONTROLS
    if not fits or not 1 <= styles <= limits.MAX_STYLES:
        raise UsageError(
            f"a tuning of {directions} directions of {styles} styles for {controls} controls does "
            "not fit the format"
        )
    head = FieldWriter().integer(SMALL_KIND, 1).integer(controls + 1, 1).integer(directions, 1)
    head.integer(styles, 4).raw(step_codes(tuning.steps)).raw(step_codes(tuning.share_steps))
    head.raw(tuning.shares.tobytes())
    coder = RangeEncoder([PROBABILITY_HALF] * CONTEXTS)
    code_rows(coder, directions + 1, styles, tuning.levels)
    return bytes(head.raw(coder.finish()).data)


def parse_small(payload: bytes, num_controls: int, num_styles: int) -> SmallTuning:
    """Read a small tuning made for this many controls and styles.

    Raises StreamError for anything else.
    """
    fields = FieldReader(payload, "tuning")
    rows, directions, styles = _shape(fields)
    if (rows, styles) != (num_controls + 1, num_styles):
        raise fields.fail(f"{rows} rows of {styles} styles, where {num_controls + 1} rows of "
                          f"{num_styles} are wanted")  # fmt: skip
    return _read(fields, rows - 1, directions, styles)


def check_small(payload: bytes, num_controls: int | None) -> None:
    """Raise StreamError for a small tuning that breaks the format; any number of styles will do.

    num_controls: those of the stream, None where they are not known.
    """
    fields = FieldReader(payload, "tuning")
    rows, directions, styles = _shape(fields)
    if num_controls is not None and rows != num_controls + 1:
        raise fields.fail(f"{rows} rows, where {num_controls + 1} are wanted")
    _read(fields, rows - 1, directions, styles)


def _shape(fields: FieldReader) -> tuple[int, int, int]:
    """Take the kind, and the number of rows, of directions and of styles."""
    if fields.integer(1) != SMALL_KIND:
        raise fields.fail("a kind of tuning this program does not know")
    rows = fields.integer(1, 2, limits.MAX_CONTROLS + 1, "rows")
    directions = fields.integer(1, 1, limits.MAX_CONTROLS, "directions")
    return rows, directions, fields.integer(4, 1, limits.MAX_STYLES, "styles")


def _read(fields: FieldReader, controls: int, directions: int, styles: int) -> SmallTuning:
    """Take the steps, the shares and the body, which are the rest."""
    steps = steps_from_codes(fields.raw(directions + 1))
    share_steps = steps_from_codes(fields.raw(directions))
    shares = np.frombuffer(fields.raw(controls * directions), np.int8)
    body = fields.rest()
    coder = RangeDecoder(body, [PROBABILITY_HALF] * CONTEXTS)
    levels = code_rows(coder, directions + 1, styles, None)
    if coder.position < len(body):
        raise fields.fail(f"{len(body) - coder.position} bytes after its last value")
    return SmallTuning(levels, steps, shares.reshape(controls, directions), share_steps)
