"""The FFHQ alignment: an oriented square around a face, held steady over time."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facecodec.face.layout import MOUTH_CORNERS, NOSE_BASE
from facecodec.face.past_place import PastPlace
from facecodec.face.signals import SMALLEST_LENGTH, eye_centres
from facecodec.types import Floats, Landmarks

# The FFHQ square, as in dataset_tool of Karras et al. 2019 (arXiv 1812.04948):
HALF_SIDE_OF_EYES = 2.0  # times the distance of the eyes, at least half a side
HALF_SIDE_OF_FACE = 1.8  # times the distance from the eyes to the mouth, at least half a side
CENTRE_SHIFT = 0.1  # of the way from the eyes to the mouth, from the eyes to the centre

PLACE_SIGMA = 2.0  # frames, of the Gaussian that smooths centre and angle
SIZE_SIGMA = 12.0  # frames, of the Gaussian that smooths the side
PLACE_MEDIAN_RADIUS = 2  # frames to either side in the median that removes outliers of both
SIZE_MEDIAN_RADIUS = 2  # the same for the side, in standard deviations of its Gaussian
GAUSSIAN_RADIUS = 3  # standard deviations beyond which a Gaussian is cut off

SQUARE_SIZES = (256, 512, 1024)  # sides in pixels at which squares are cut out and compared
FILLED_SHARE = 0.97  # of a size's pixels that a square in a frame must have: 1023 pixels are 1024


@dataclass(frozen=True)
class Alignment:
    """An oriented square in a frame: centre (x, y) and side `size` in pixels, angle in radians."""

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
    down = points[list(MOUTH_CORNERS)].mean(0) - eyes
    x = across - np.array([-down[1], down[0]])
    half = max(
        HALF_SIDE_OF_EYES * float(np.linalg.norm(across)),
        HALF_SIDE_OF_FACE * float(np.linalg.norm(down)),
    )
    centre = eyes + CENTRE_SHIFT * down
    angle = float(np.arctan2(x[1], x[0]))
    return Alignment(float(centre[0]), float(centre[1]), 2 * half, angle)


def stabilise(
    landmarks: Sequence[Landmarks | None],
    sigma: float = PLACE_SIGMA,
    sigma_size: float = SIZE_SIGMA,
    causal: bool = False,
    rest: Landmarks | None = None,
) -> list[Alignment]:
    """Return one alignment a frame, smooth over time; frames without a face are interpolated.

    `landmarks` [68, 2] of each frame, None without a face. Centre and angle are smoothed by a
    Gaussian of `sigma` frames, after a short running median for single frames whose landmarks are
    wrong. The side is the clip's median, times how much nearer the head is than in the median
    frame, and follows slowly (`sigma_size` frames, after a running median).
    `causal` uses the present and past frames alone: a line through past places (`PastPlace`), for
    the side half the Gaussian, and the last square where there is no face (before the first face,
    the first square).
    `rest` [68, 2]: the landmarks of a person who is known, at controls 0, in sides of their square:
    squares are as large as the face at rest says, since no control makes it larger.
    Raises ValueError when no frame has landmarks.
    """
    known = np.array([i for i, points in enumerate(landmarks) if points is not None])
    if len(known) == 0:
        raise ValueError("no frame has landmarks")
    faces = [points for points in landmarks if points is not None]
    rows = np.array([ffhq_alignment(points).as_array() for points in faces])
    if rest is None:
        nearness = _nearness(faces, causal)[:, None]
        rows[:, 2:3] = nearness * _medians_over_time(rows[:, 2:3] / nearness, causal)
    else:
        rows[:, 2] = _sides(faces, rest, causal)
    rows[:, 3] = np.unwrap(rows[:, 3])
    frames = np.arange(len(landmarks))
    if causal:
        track = rows[np.maximum(np.searchsorted(known, frames, side="right") - 1, 0)]
    else:
        track = np.stack([np.interp(frames, known, rows[:, i]) for i in range(4)], axis=1)
    track[:, 2] = _steady(track[:, 2], int(SIZE_MEDIAN_RADIUS * sigma_size), sigma_size, causal)
    if causal:
        place = PastPlace()
        track[:, [0, 1, 3]] = [place.add(row) for row in track]
    else:
        for i in (0, 1, 3):
            track[:, i] = _steady(track[:, i], PLACE_MEDIAN_RADIUS, sigma, causal=False)
    return [Alignment.from_array(row) for row in track]


def warranted_size(side: float) -> int:
    """Return the size in SQUARE_SIZES that a square of `side` pixels fills, the least if none.

    Above it a frame shows nothing of the face.
    """
    return max(
        (size for size in SQUARE_SIZES if side >= FILLED_SHARE * size), default=SQUARE_SIZES[0]
    )


def usual_size(alignments: Sequence[Alignment]) -> int:
    """Return the size in SQUARE_SIZES that the squares of a clip usually fill."""
    return warranted_size(float(np.median([alignment.size for alignment in alignments])))


def scaled(alignment: Alignment, factor: float) -> Alignment:
    """Return the alignment in a frame whose pixels are `factor` times as many per side."""
    return replace(
        alignment,
        x=alignment.x * factor,
        y=alignment.y * factor,
        size=alignment.size * factor,
    )


def face_extents(points: Landmarks) -> tuple[float, float]:
    """Return the distance of the eyes and the length of the nose of landmarks [68, 2]."""
    left, right = eye_centres(points)
    nose = points[NOSE_BASE].mean(0) - (left + right) / 2
    eyes, length = float(np.linalg.norm(right - left)), float(np.linalg.norm(nose))
    return max(eyes, SMALLEST_LENGTH), max(length, SMALLEST_LENGTH)


def _nearness(faces: Sequence[Landmarks], causal: bool) -> Floats:
    """Return how large heads with landmarks [68, 2] are, in units of the clip's median, [T].

    The distance of the eyes tells it, except that it shrinks as a head turns, while the length of
    the nose stays. That length grows as a lowered head is raised, so it may only keep a head from
    seeming farther, never bring it nearer. No smile and no opening jaw moves either. A size that
    followed the mouth would zoom by a tenth with an expression, which no control could explain.
    """
    extent = np.array([face_extents(points) for points in faces])
    eyes, nose = (extent / _medians_over_time(extent, causal)).T
    nearness: Floats = np.maximum(eyes, np.minimum(nose, 1.0))
    return nearness


def _sides(faces: Sequence[Landmarks], rest: Landmarks, causal: bool) -> Floats:
    """Return the sides of the squares in which faces [68, 2] are as large as `rest` [68, 2], [T].

    As in `_nearness`, the length of the nose only keeps a turned head from seeming farther.
    """
    eyes, nose = (np.array([face_extents(p) for p in faces]) / face_extents(rest)).T
    usual = _medians_over_time(eyes[:, None], causal)[:, 0]
    sides: Floats = np.maximum(eyes, np.minimum(nose, usual))
    return sides


def _medians_over_time(values: Floats, causal: bool) -> Floats:
    """Return the median over time of values [T, K], same shape; `causal`: of the frames so far."""
    if causal:
        return np.stack([_running_medians(column) for column in values.T], axis=1)
    return np.broadcast_to(np.median(values, axis=0), values.shape)


def _running_medians(values: Floats) -> Floats:
    """Return, for every one of the values [T], the median of those up to it, [T]."""
    ordered: list[float] = []
    medians = []
    for value in values.tolist():
        insort(ordered, value)
        middle = len(ordered) // 2
        medians.append((ordered[middle] + ordered[-1 - middle]) / 2)
    return np.array(medians)


def _steady(values: Floats, radius: int, sigma: float, causal: bool) -> Floats:
    """Return the running median of values [T] over `radius` frames to either side, then smoothed.

    By a Gaussian of `sigma` frames, [T]. `causal`: both over past frames and the present one.
    """
    pad = (radius, 0) if causal else (radius, radius)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(values, pad, mode="edge"), sum(pad) + 1
    )
    reach = int(np.ceil(GAUSSIAN_RADIUS * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    before = np.pad(np.median(windows, axis=1), (reach, 0 if causal else reach), mode="edge")
    taps = taps[reach:] if causal else taps
    return np.convolve(before, taps / taps.sum(), mode="valid")
