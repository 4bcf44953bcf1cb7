"""What a scan says of the frames of a clip, by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.clip.scan import Scan
from facecodec.face.alignment import Alignment
from facecodec.face.expression import features
from facecodec.types import Flags, Floats, Landmarks


class ScannedFrames(ABC):
    """Frames with a scan, T of them: their times, and the face in each."""

    @property
    @abstractmethod
    def scan(self) -> Scan:
        """Return what is known of the face in every frame; raises what a scan does."""

    @property
    @abstractmethod
    def time_base(self) -> Fraction:
        """Return the seconds of one unit of `pts`."""

    @property
    def pts(self) -> NDArray[np.int64]:
        """Return the exact times of the frames, int64 [T], in units of `time_base`."""
        return self.scan.pts

    @property
    def times(self) -> Floats:
        """Return the times of the frames in seconds, float64 [T]."""
        return self.pts.astype(np.float64) * float(self.time_base)

    @property
    def alignments(self) -> list[Alignment]:
        """Return the square around the face in every frame, in pixels of the frame, T of them."""
        return self.scan.alignments

    @property
    def landmarks(self) -> Landmarks:
        """Return the landmarks, float64 [T, 68, 2], meaningful where `seen`."""
        return self.scan.landmarks

    @property
    def signals(self) -> Floats:
        """Return the signals of `facecodec.face.signals`, float64 [T, 6], where `seen`."""
        return self.scan.signals

    @property
    def seen(self) -> Flags:
        """Return which frames show the person's face, bool [T]."""
        return self.scan.seen

    @property
    def other(self) -> Flags:
        """Return which frames show somebody else than the person of the clip, bool [T]."""
        return self.scan.other

    @property
    def occluded(self) -> Flags:
        """Return in which frames something hides part of the face, bool [T]."""
        return self.scan.occluded

    @property
    def whole(self) -> Flags:
        """Return which frames show the whole face, bool [T]."""
        return self.scan.whole

    @property
    def features(self) -> Floats:
        """Return what the face does, [T, 50] (`facecodec.face.expression`), NaN where not seen."""
        return features(np.where(self.seen[:, None, None], self.landmarks, np.nan))
