"""Signals over time compared: correlation, jitter, lip error. NaN marks frames without a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.face.layout import MOUTH
from facecodec.face.signals import eye_centres

Series = NDArray[np.float64]

LEAST_FRAMES = 3  # of a correlation: with two, every one is +1 or -1
STILL_STD = 1e-9  # standard deviation, in the signal's unit, below which it does not move


def correlation(reference: Series, distorted: Series) -> float | None:
    """Return the correlation of `distorted` [T] or [T, K] with `reference`, same shape, -1 to 1.

    K signals are centred, each on its own, and correlated as one: covariances and variances are
    summed over the signals, so that a signal counts by how much it moves and one that stands still
    adds no noise. For K = 1 this is Pearson's correlation. Frames with NaN in either are left out.
    None where fewer than 3 frames are left or the reference does not move. Raises ValueError for
    series of different shapes.
    """
    a = reference.reshape(len(reference), -1)
    b = distorted.reshape(len(distorted), -1)
    if a.shape != b.shape:
        raise ValueError(f"two series of one shape, not {reference.shape} and {distorted.shape}")
    there = np.isfinite(a).all(1) & np.isfinite(b).all(1)
    if there.sum() < LEAST_FRAMES:
        return None
    a, b = a[there] - a[there].mean(0), b[there] - b[there].mean(0)
    size = len(a) * STILL_STD**2
    if (a * a).sum() < size:
        return None
    if (b * b).sum() < size:
        return 0.0
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def lip_errors(reference: Series, distorted: Series) -> Series:
    """Return the mean distance of the 20 mouth landmarks in each frame, [T].

    reference, distorted: landmarks [T, 68, 2]. Both mouths are centred first, so that what counts
    is their shape. In units of the reference's eye distance.
    """
    a, b = reference[:, MOUTH], distorted[:, MOUTH]
    offset = (a - a.mean(1, keepdims=True)) - (b - b.mean(1, keepdims=True))
    result: Series = np.linalg.norm(offset, axis=2).mean(1) / eye_distances(reference)
    return result


def jitter(reference: Series, distorted: Series) -> float | None:
    """Return how much `distorted` trembles where `reference` does not: 0 for equal motion.

    Both are landmarks [T, 68, 2]. This is the mean length of the second difference over time of
    every landmark's error, in eye distances; an error that is constant or changes slowly leaves it
    at 0. None when no three frames in a row have landmarks.
    """
    error = (distorted - reference) / eye_distances(reference)[:, None, None]
    shake = np.linalg.norm(error[2:] - 2 * error[1:-1] + error[:-2], axis=2).mean(1)
    shake = shake[np.isfinite(shake)]
    return float(shake.mean()) if len(shake) else None


def eye_distances(points: Series) -> Series:
    """Return the distance between the centres of the eyes of landmarks [T, 68, 2], [T]."""
    left, right = eye_centres(points)
    lengths: Series = np.linalg.norm(right - left, axis=1)
    return lengths
