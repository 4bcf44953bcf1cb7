"""What is read off a sequence of aligned pictures: landmarks, signals, embeddings, per frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.face.landmarks import FaceEmbedder, LandmarkFinder
from facecodec.face.signals import SIGNALS, all_signals
from facecodec.metrics.landmarker import SCORES, Landmarker
from facecodec.types import Picture

SETTLE = 5  # readings of a still picture in which the finder's landmarks come to rest

Values = NDArray[np.float64]


class Trace:
    """Collects the face in each of a sequence of pictures; NaN where it is not found.

    points [T, 68, 2] in pixels, signals [T, 6] (facecodec.face.signals.SIGNALS); with a
    landmarker units [T, 43], gaze [T, 2] and pose [T, 3]; embeddings [T, 128] of the frames
    asked for.
    """

    def __init__(
        self, landmarks: Path, embedding: Path, landmarker: Landmarker | None = None
    ) -> None:
        """`landmarks`, `embedding`: the files of dlib's two models."""
        self._find, self._embed = LandmarkFinder(landmarks), FaceEmbedder(embedding)
        self._landmarker = landmarker
        self._rows: dict[str, list[Values]] = {
            name: [] for name in ("points", "signals", "units", "gaze", "pose", "embeddings")
        }

    def add(self, picture: Picture, embed: bool = True) -> None:
        """Look at the next picture, uint8 RGB [H, W, 3]; `embed`: read the identity too."""
        found = settled(self._find, picture)
        none = found is None
        rows = self._rows
        rows["points"].append(np.full((68, 2), np.nan) if found is None else found)
        rows["signals"].append(
            np.full(len(SIGNALS), np.nan) if found is None else all_signals(found)
        )
        rows["embeddings"].append(
            np.full(128, np.nan) if none or not embed else self._embed(picture, rows["points"][-1])
        )
        if self._landmarker is not None:
            read = self._landmarker(picture)
            rows["units"].append(read.units)
            rows["gaze"].append(read.gaze)
            rows["pose"].append(read.pose)

    def __len__(self) -> int:
        return len(self._rows["points"])

    def __getitem__(self, name: str) -> Values:
        """Return one of the series, [T, ...]; all NaN when no landmarker was there to read it."""
        rows = self._rows[name]
        if rows:
            return np.stack(rows)
        width = {"units": SCORES - 9, "gaze": 2, "pose": 3}
        return np.full((len(self), width.get(name, 1)), np.nan)

    def signal(self, name: str) -> Values:
        """Return one of the landmark signals, [T]."""
        return self["signals"][:, SIGNALS.index(name)]

    def points_of(self, i: int) -> Values | None:
        """Return the landmarks [68, 2] of picture i, or None without a face."""
        points = self._rows["points"][i]
        return points if np.isfinite(points[0, 0]) else None

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Return in which frames a face was found, [T]."""
        found: NDArray[np.bool_] = np.isfinite(self["points"][:, 0, 0])
        return found


def settled(find: LandmarkFinder, picture: Picture) -> Values | None:
    """Return landmarks [68, 2] that hardly remember the frame before, or None without a face.

    The finder starts from where it saw the face last, so that its landmarks creep over several
    frames even on a still picture. Asked a few times, they settle; the mean is less noisy.
    """
    found = [find(picture) for _ in range(SETTLE)]
    known = [points for points in found[1:] if points is not None]
    return np.mean(known, axis=0) if known else None
