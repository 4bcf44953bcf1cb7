"""Where a square is now, by past frames alone: a line through its last places.

A mean of past places lags behind a head that moves: by three frames, ten times what the landmarks
are off. A line does not, but shakes more; so its slope counts as much as it is above their noise.
"""

from __future__ import annotations

import numpy as np

from facecodec.types import Floats

SIGMA = 3.0  # frames, of the half Gaussian that weighs past places
FRAMES = 12  # that are looked at
# Motion a frame at which the slope counts for half: of the centre in sides of the square, of the
# angle in radians. What is below is mostly the noise of landmarks.
CENTRE_NOISE, ANGLE_NOISE = 0.002, 0.004
# From one frame to the next, in sides of the square and in radians: what moves farther may be read
# wrongly, and is believed once the next frame has not moved back.
LARGEST_MOVE, LARGEST_TURN = 0.08, 0.2

_AGES = np.arange(FRAMES)[::-1].astype(np.float64)
_WEIGHTS = np.exp(-0.5 * (_AGES / SIGMA) ** 2)
_WEIGHTS /= _WEIGHTS.sum()
_MEAN_AGE = float(_WEIGHTS @ _AGES)
_SLOPES = _WEIGHTS * (_MEAN_AGE - _AGES)
_SLOPES /= float(_WEIGHTS @ (_AGES - _MEAN_AGE) ** 2)


class PastPlace:
    """Centre and angle of a square, held steady frame by frame."""

    def __init__(self) -> None:
        self._rows: list[Floats] = []
        self._doubted = False  # whether the last row was not believed

    def add(self, row: Floats) -> Floats:
        """Return x, y and angle, [3], of the next frame, whose square is x, y, side, angle, [4].

        In pixels and radians; angles go on where they were. What came before the first is like it.
        """
        self._rows = self._rows or [row] * FRAMES
        moved, side = row - self._rows[-1], float(row[2])
        far = np.hypot(*moved[:2]) > LARGEST_MOVE * side or abs(moved[3]) > LARGEST_TURN
        self._doubted = bool(far) and not self._doubted
        self._rows = [*self._rows, self._rows[-1] if self._doubted else row][-FRAMES:]
        rows = np.stack(self._rows)
        x, y = _now(rows[:, :2], CENTRE_NOISE * float(row[2]))
        return np.array([x, y, *_now(rows[:, 3:], ANGLE_NOISE)])


def _now(values: Floats, noise: float) -> Floats:
    """Return where values [FRAMES, N], oldest first, are in the last frame, [N].

    Their line by weighted least squares, its slope shrunk as the estimator of James and Stein
    (1961) shrinks a mean: by its square beside that of `noise`, a frame.
    """
    mean, slope = _WEIGHTS @ values, _SLOPES @ values
    squared = float(slope @ slope)
    now: Floats = mean + _MEAN_AGE * squared / (squared + noise**2) * slope
    return now
