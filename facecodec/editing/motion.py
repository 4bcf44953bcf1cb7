"""The motion of a stream in memory: what an edit changes, and a table holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import FrameRecord, StreamHeader
from facecodec.types import Controls, Floats


@dataclass(frozen=True)
class StreamMotion:
    """The frames of a stream as arrays.

    pts: int64 [T], rising, in units of `time_base` seconds. flags: uint8 [T], of `FrameFlags`.
    controls: float32 [T, K], in standard deviations over the generator's faces.
    """

    pts: NDArray[np.int64]
    time_base: Fraction
    flags: NDArray[np.uint8]
    controls: Controls

    @classmethod
    def of(cls, header: StreamHeader, frames: Sequence[FrameRecord]) -> StreamMotion:
        """Return the motion of some frames, at least one."""
        return cls(
            np.array([frame.pts for frame in frames], np.int64),
            header.time_base,
            np.array([int(frame.flags) for frame in frames], np.uint8),
            np.stack([frame.controls for frame in frames]).astype(np.float32),
        )

    @property
    def times(self) -> Floats:
        """Return the times of the frames in seconds, float64 [T]."""
        times: Floats = self.pts.astype(np.float64) * float(self.time_base)
        return times
