"""The FFHQ alignment: an oriented square around a face, held steady over time."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facecodec.face.signals import eye_centres
from facecodec.types import Landmarks

OUTLIER = 2  # frames on either side in the median of a square's place


@dataclass(frozen=True)
class Alignment:
    """An oriented square in a frame: centre (x, y) and side in pixels, angle in radians."""

    x: float
    y: float
    size: float
    angle: float

    @classmethod
    def from_array(cls, row: Sequence[float] | NDArray[np.floating]) -> Alignment:
        """Return the square of x, y, size, angle, [4]: one row of a placement track."""
        return cls(*(float(value) for value in row))

    def as_array(self) -> NDArray[np.float64]:
        """Return x, y, size, angle, float64 [4]: one row of a placement track."""
        return np.array([self.x, self.y, self.size, self.angle])

    def corner_matrix(self) -> NDArray[np.float64]:
        """Return the map [2, 3] from unit-square coordinates (0 to 1) to frame pixels."""
        u = self.size * np.array([np.cos(self.angle), np.sin(self.angle)])
        v = np.array([-u[1], u[0]])
        origin = np.array([self.x, self.y]) - 0.5 * (u + v)
        return np.stack([u, v, origin], axis=1).astype(np.float64)

    def from_unit(self, points: Landmarks) -> Landmarks:
        """Convert coordinates of the square [N, 2], 0 to 1 inside, to frame pixels."""
        matrix = self.corner_matrix()
        return points @ matrix[:, :2].T + matrix[:, 2]

    def to_unit(self, points: Landmarks) -> Landmarks:
        """Convert frame pixels [N, 2] to coordinates of the square, 0 to 1 inside."""
        matrix = self.corner_matrix()
        return np.linalg.solve(matrix[:, :2], (points - matrix[:, 2]).T).T.astype(np.float64)


def ffhq_alignment(points: Landmarks) -> Alignment:
    """Return the FFHQ square of landmarks [68, 2] (Karras et al. 2019, arXiv 1812.04948).

    x = eye_to_eye - rot90(eye_to_mouth), normalised; half side = max(2.0 |eye_to_eye|,
    1.8 |eye_to_mouth|); centre = eyes + 0.1 eye_to_mouth.
    """
    left, right = eye_centres(points)
    eyes = (left + right) / 2
    across = right - left
    down = points[[48, 54]].mean(0) - eyes
    x = across - np.array([-down[1], down[0]])
    half = max(2.0 * float(np.linalg.norm(across)), 1.8 * float(np.linalg.norm(down)))
    centre = eyes + 0.1 * down
    angle = float(np.arctan2(x[1], x[0]))
    return Alignment(float(centre[0]), float(centre[1]), 2 * half, angle)


def stabilise(
    landmarks: Sequence[Landmarks | None],
    sigma: float = 2.0,
    sigma_size: float = 12.0,
    causal: bool = False,
) -> list[Alignment]:
    """Return one alignment a frame, smooth over time; frames without a face are interpolated.

    Centre and angle are smoothed by a Gaussian of `sigma` frames, after a short running median
    for the odd frame whose landmarks are wrong. The size is the usual one of the clip, times how
    much nearer the head is than usual, and follows slowly (`sigma_size`, after a running median).
    `causal` looks at past frames only: half
    the Gaussian, and the last square where there is no face (before the first one, the first).
    Raises ValueError when no frame has landmarks.
    """
    known = np.array([i for i, points in enumerate(landmarks) if points is not None])
    if len(known) == 0:
        raise ValueError("no frame has landmarks")
    found = [points for points in landmarks if points is not None]
    rows = np.array([ffhq_alignment(points).as_array() for points in found])
    nearness = _nearness(found, causal)[:, None]
    rows[:, 2:3] = nearness * _usual(rows[:, 2:3] / nearness, causal)
    rows[:, 3] = np.unwrap(rows[:, 3])
    frames = np.arange(len(landmarks))
    if causal:
        track = rows[np.maximum(np.searchsorted(known, frames, side="right") - 1, 0)]
    else:
        track = np.stack([np.interp(frames, known, rows[:, i]) for i in range(4)], axis=1)
    track[:, 2] = _calm(track[:, 2], int(2 * sigma_size), sigma_size, causal)
    for i in (0, 1, 3):
        track[:, i] = _calm(track[:, i], OUTLIER, sigma, causal)
    return [Alignment.from_array(row) for row in track]


def scaled(alignment: Alignment, factor: float) -> Alignment:
    """Return the alignment in a frame whose pixels are `factor` times as many per side."""
    return replace(
        alignment,
        x=alignment.x * factor,
        y=alignment.y * factor,
        size=alignment.size * factor,
    )


def _nearness(found: Sequence[Landmarks], causal: bool) -> NDArray[np.float64]:
    """Return how large heads with landmarks [68, 2] are beside the clip's usual size, [T].

    The distance of the eyes says it, unless it shrinks because the head turns: the length of the
    nose stays, which in turn grows as a lowered head is raised, so it never makes a head nearer.
    No smile and no opening jaw moves either: a size that goes by the mouth zooms by a tenth with
    an expression, and no control can answer to that.
    """
    extents = []
    for points in found:
        left, right = eye_centres(points)
        nose = points[31:36].mean(0) - (left + right) / 2
        extents.append((np.linalg.norm(right - left), np.linalg.norm(nose)))
    extent = np.maximum(np.array(extents), 1e-6)
    eyes, nose = (extent / _usual(extent, causal)).T
    result: NDArray[np.float64] = np.maximum(eyes, np.minimum(nose, 1.0))
    return result


def _usual(values: NDArray[np.float64], causal: bool) -> NDArray[np.float64]:
    """Return the median over time of values [T, K], for every frame; `causal`: of those so far."""
    if causal:
        return np.stack([_medians(column) for column in values.T], axis=1)
    return np.broadcast_to(np.median(values, axis=0), values.shape)


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the values [T] so far, for every one of them."""
    ordered: list[float] = []
    found = []
    for value in values.tolist():
        insort(ordered, value)
        middle = len(ordered) // 2
        found.append((ordered[middle] + ordered[-1 - middle]) / 2)
    return np.array(found)


def _calm(
    values: NDArray[np.float64], radius: int, sigma: float, causal: bool
) -> NDArray[np.float64]:
    """Return a running median of `radius` frames on either side, smoothed by a Gaussian.

    `causal`: both over past frames and the present one.
    """
    pad = (radius, 0) if causal else (radius, radius)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(values, pad, mode="edge"), sum(pad) + 1
    )
    reach = int(np.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    before = np.pad(np.median(windows, axis=1), (reach, 0 if causal else reach), mode="edge")
    taps = taps[reach:] if causal else taps
    return np.convolve(before, taps / taps.sum(), mode="valid")
