"""The aligned square of every frame as it comes: what `stabilise` does with past frames alone."""

from __future__ import annotations

from bisect import insort

import numpy as np

from facecodec.face.alignment import (
    GAUSSIAN_RADIUS,
    SIZE_MEDIAN_RADIUS,
    SIZE_SIGMA,
    Alignment,
    face_extents,
    ffhq_alignment,
)
from facecodec.face.past_place import PastPlace
from facecodec.types import Floats, Landmarks


class _Median:
    """The median of all values so far."""

    def __init__(self) -> None:
        self._ordered: list[float] = []

    def add(self, value: float) -> float:
        """Return the median of this value and those before."""
        insort(self._ordered, value)
        middle = len(self._ordered) // 2
        return (self._ordered[middle] + self._ordered[-1 - middle]) / 2


class _Steady:
    """The running median of a value over past frames, then half a Gaussian over them."""

    def __init__(self, radius: int, sigma: float) -> None:
        """`radius` frames before are in the median; `sigma` is the Gaussian's, in frames."""
        reach = int(np.ceil(GAUSSIAN_RADIUS * sigma))
        taps = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
        self._taps = taps / taps.sum()
        self._radius = radius
        self._values: list[float] = []
        self._medians: list[float] = []

    def add(self, value: float) -> float:
        """Return the steady value of this frame. What came before the first is like it."""
        if not self._values:
            self._values = [value] * self._radius
            self._medians = [value] * (len(self._taps) - 1)
        self._values = [*self._values[-self._radius :], value]
        self._medians = [*self._medians[1 - len(self._taps) :], float(np.median(self._values))]
        return float(np.dot(self._taps[::-1], self._medians))


class SteadySquare:
    """Aligned squares, frame by frame, held steady by past frames alone.

    The squares are those of `stabilise` with `causal`, as long as the first frame has a face; but
    where the person is known, a square is as large as their face at rest says.
    """

    def __init__(self, rest: Landmarks | None = None) -> None:
        """`rest` [68, 2]: the person's landmarks at controls 0, in sides of their square."""
        self._rest = None if rest is None else face_extents(rest)
        self._extents, self._sizes = (_Median(), _Median()), _Median()
        self._place = PastPlace()
        self._side = _Steady(int(SIZE_MEDIAN_RADIUS * SIZE_SIGMA), SIZE_SIGMA)
        self._row: Floats | None = None

    def add(self, points: Landmarks | None) -> Alignment | None:
        """Return the square of the next frame, with landmarks [68, 2] in it or None.

        The last square's place where there is no face; None before the first face.
        """
        if points is not None:
            row = ffhq_alignment(points).as_array()
            row[2] = self._side_of(face_extents(points), float(row[2]))
            if self._row is not None:  # angles go on where they were
                turn = row[3] - self._row[3]
                row[3] = self._row[3] + (turn + np.pi) % (2 * np.pi) - np.pi
            self._row = row
        if self._row is None:
            return None
        row = self._row.copy()  # which the next frame's angle goes on from
        row[2] = self._side.add(float(row[2]))
        x, y, angle = self._place.add(row)
        return Alignment.from_array([x, y, row[2], angle])

    def _side_of(self, extents: tuple[float, float], side: float) -> float:
        """Return the side of the square of a face with `extents`, whose FFHQ square has `side`.

        As in `stabilise`, the length of the nose only keeps a turned head from seeming farther.
        """
        if self._rest is not None:
            eyes, nose = (now / rest for now, rest in zip(extents, self._rest, strict=True))
            return max(eyes, min(nose, self._sizes.add(eyes)))
        eyes, nose = (now / m.add(now) for now, m in zip(extents, self._extents, strict=True))
        nearness = max(eyes, min(nose, 1.0))
        return nearness * self._sizes.add(side / nearness)
