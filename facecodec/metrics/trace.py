"""Traces: landmarks, signals and embeddings of every picture of a sequence of aligned squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.face.landmarks import FaceEmbedder, LandmarkFinder
from facecodec.face.layout import NUM_LANDMARKS
from facecodec.face.signals import SIGNALS, all_signals
from facecodec.metrics.landmarker import NUM_UNITS, Landmarker
from facecodec.types import Picture

SETTLING_READINGS = 5  # of a still picture, in which the finder's landmarks come to rest
EMBEDDING_SIZE = 128  # numbers of a face embedding

Values = NDArray[np.float64]


class Trace:
    """Collects what the face of each picture shows; NaN where there is none.

    points [T, 68, 2] in pixels, signals [T, 6] (facecodec.face.signals.SIGNALS); with a
    landmarker units [T, 43], gaze [T, 2] and pose [T, 3] in degrees; embeddings [T, 128], NaN for
    frames of which none was asked for.
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
        """Read the next picture, uint8 RGB [H, W, 3]; `embed`: its embedding too."""
        points = settled(self._find, picture)
        blank = np.full((NUM_LANDMARKS, 2), np.nan)
        signals, embedding = np.full(len(SIGNALS), np.nan), np.full(EMBEDDING_SIZE, np.nan)
        if points is not None:
            signals = all_signals(points)
            embedding = self._embed(picture, points) if embed else embedding
        rows = self._rows
        rows["points"].append(blank if points is None else points)
        rows["signals"].append(signals)
        rows["embeddings"].append(embedding)
        if self._landmarker is not None:
            read = self._landmarker(picture)
            rows["units"].append(read.units)
            rows["gaze"].append(read.gaze)
            rows["pose"].append(read.pose)

    def __len__(self) -> int:
        return len(self._rows["points"])

    def __getitem__(self, name: str) -> Values:
        """Return a series, [T, ...]; NaN where it needs a landmarker and none was given."""
        rows = self._rows[name]
        if rows:
            return np.stack(rows)
        width = {"units": NUM_UNITS, "gaze": 2, "pose": 3}
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
        """Return which frames show a face, [T]."""
        seen: NDArray[np.bool_] = np.isfinite(self["points"][:, 0, 0])
        return seen


def settled(find: LandmarkFinder, picture: Picture) -> Values | None:
    """Return landmarks [68, 2] of a picture [H, W, 3] that depend little on the one before.

    None without a face. The finder starts from where it saw the face last, so its landmarks drift
    for several readings even of a still picture. They settle, and the mean is less noisy.
    """
    readings = [find(picture) for _ in range(SETTLING_READINGS)]
    known = [points for points in readings[1:] if points is not None]
    return np.mean(known, axis=0) if known else None
