"""The frames that wait for their segment, with times turned into timestamps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import StreamHeader
from facecodec.bitstream.coding.segment import PLACEMENT_VALUES, Segment
from facecodec.bitstream.coding.steps import from_levels, to_levels
from facecodec.bitstream.limits import MAX_PTS
from facecodec.errors import UsageError
from facecodec.types import Controls


class FrameQueue:
    """Collects frames, numbers them from 0, and gives those that wait as a segment."""

    def __init__(self, header: StreamHeader, slack_steps: float) -> None:
        """slack_steps: see `LiveSettings`."""
        self.count = 0  # frames so far
        self._slack = slack_steps
        self._levels: NDArray[np.float64] | None = None  # of the controls of the last frame
        self.taken = 0  # frames of the last segment
        self._header = header
        self._last: int | None = None  # timestamp of the last frame
        self._rows: list[tuple[int, int, Controls, NDArray[np.float32] | None]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        controls: Controls,
        time: Fraction | float,
        flags: int,
        placement: NDArray[np.floating] | None,
    ) -> None:
        """Add a frame, controls [num_controls]: see `ControlsEncoder.push`.

        What is refused changes nothing.
        """
        pts = self._pts(time)
        row = np.array(controls, np.float32)
        if row.shape != (self._header.num_controls,):
            raise UsageError(
                f"frame {self.count}: {self._header.num_controls} controls are needed, "
                f"not {list(row.shape)}"
            )
        steps = self._header.control_steps
        levels = to_levels(row, steps).astype(np.float64)  # refuses what is too large
        if self._levels is not None:
            exact = row.astype(np.float64) / steps
            low, high = np.ceil(exact - self._slack), np.floor(exact + self._slack)
            levels = np.clip(self._levels, low, high)
        place = None if placement is None else np.array(placement, np.float32)
        if place is not None:
            if place.shape != (PLACEMENT_VALUES,):
                raise UsageError(f"frame {self.count}: a placement is four numbers")
            to_levels(place, self._header.placement_steps)
        if not 0 <= flags <= 3:
            raise UsageError(f"frame {self.count}: there are no flags {flags}")
        row = from_levels(levels.astype(np.int64), steps)
        self._rows.append((pts, flags, row, place))
        self._last, self._levels = pts, levels
        self.count += 1

    def _pts(self, time: Fraction | float) -> int:
        """Return the timestamp nearest to a time in seconds, halves up."""
        try:
            ticks = Fraction(time) / self._header.time_base
        except (ValueError, OverflowError, TypeError):
            raise UsageError(f"frame {self.count}: {time!r} is no time in seconds") from None
        pts = (2 * ticks.numerator + ticks.denominator) // (2 * ticks.denominator)
        if abs(pts) > MAX_PTS:
            raise UsageError(f"frame {self.count}: time {float(time)} is out of range")
        if self._last is not None and pts <= self._last:
            raise UsageError(
                f"frame {self.count}: time {float(time)} is not after that of the frame before, "
                f"in units of {self._header.time_base} s"
            )
        return pts

    def take(self) -> Segment:
        """Return the frames that wait, at least one, and forget them."""
        pts, flags, controls, places = zip(*self._rows, strict=True)
        self._rows.clear()
        self.taken = len(pts)
        return Segment.of(self.count - len(pts), pts, flags, controls, places)
