"""Correction: the controls of a tracked clip, moved until the landmarks follow the clip's.

A turn by a degree, or lips that part by a pixel, change few pixels, and a render of a person who
is not tuned differs from the frames by as many even at rest. Landmarks see such motion. Pictures
keep their influence: controls move in the directions that change the picture's fit least. The
pictures of a tuned person show the expression better than landmarks do, so there landmarks move
the pose alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.face.layout import (
    LEFT_EYE,
    LOWER_LID,
    LOWER_LIP,
    NUM_LANDMARKS,
    RIGHT_EYE,
    UPPER_LID,
    UPPER_LIP,
)
from facecodec.fit.controls import per_control

# Designs are made for at least this many controls, so that every derivative is the mean of eight
# readings or more.
LEAST_DESIGN = 4

Array = NDArray[np.float64]
# Controls [N, K] to landmarks [N, P, 2] in sides of the square, NaN where no face is read.
ReadLandmarks = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class CorrectionPlan:
    """How a clip is corrected. Controls are in standard deviations."""

    noise: float = 1 / 256  # standard deviation of a landmark, in sides of the square
    # The same, of how far lids and lips are open, and 0 to leave that to the landmarks alone: an
    # opening is small, is what is looked at, and the errors of its two edges are much the same.
    opening_noise: float = 1 / 512
    outlier: float = 3.0  # times `noise`: larger differences are misreadings, and count less
    opening_outlier: float = 10.0  # the same, times `opening_noise`: a blink is far from the rest
    prior: float = 1.5  # standard deviation of a control around its tracked value
    largest_move: float = 2.0  # of a control
    step: tuple[float, float] = (0.5, 1.0)  # of the derivatives' differences: pose, offsets
    # Landmarks move this many controls, the first ones, and all if None; the others then move as
    # the pictures ask.
    guided: int | None = None


def two_level_design(count: int) -> Array:
    """Return a design [N, count] of -1 and 1 with orthogonal columns, each of mean 0.

    N is a power of two (Sylvester's construction of Hadamard matrices). Where all controls move at
    once, every reading tells about every control (Plackett and Burman 1946).
    """
    rows: Array = np.ones((1, 1))
    while len(rows) <= count:
        rows = np.vstack([np.hstack([rows, rows]), np.hstack([rows, -rows])])
    return rows[:, 1 : count + 1]


def landmark_derivative(
    read: ReadLandmarks, centre: Array, steps: Array, directions: Array
) -> Array | None:
    """Return the derivative [2P, D] of the landmarks at controls `centre` [K].

    It is taken along `directions` [D, K], by `steps` [D]. None where too many readings fail.
    """
    moves = two_level_design(max(len(directions), LEAST_DESIGN))[:, : len(directions)] * steps
    points = read(centre + moves @ directions).reshape(len(moves), -1)
    readable = np.isfinite(points).all(1)
    if readable.sum() <= len(directions) + 1:
        return None
    known = np.c_[moves[readable], np.ones(readable.sum())]
    slopes = np.linalg.lstsq(known, points[readable], rcond=None)[0][:-1]
    derivative: Array = slopes.T.astype(np.float64)
    return derivative


def guided_directions(information: Array, guided: int) -> Array:
    """Return how all controls move when each of the first `guided` moves by 1, [guided, K].

    The others move to where pictures fit best; `information` [K, K] is the normal matrix of the
    pictures and priors.
    """
    others = -np.linalg.solve(information[guided:, guided:], information[guided:, :guided]).T
    return np.hstack([np.eye(guided), others])


def without_placement(mean: Array) -> Array:
    """Return the projection [2P, 2P] of landmark changes that removes those of the square's place.

    Shift, scale and rotation of the square move the landmarks, on average `mean` [P, 2], as no
    expression does.
    """
    x, y = (mean - mean.mean(0)).T
    one, zero = np.ones(len(mean)), np.zeros(len(mean))
    moves = [(one, zero), (zero, one), (x, y), (-y, x)]
    basis = np.linalg.qr(np.stack([np.stack(m, 1).ravel() for m in moves], 1))[0]
    projection: Array = np.eye(len(basis)) - basis @ basis.T
    return projection


def openings() -> Array:
    """Return how far left lids, right lids and lips are open, [3, 2P], times landmarks [2P]."""
    points = np.arange(NUM_LANDMARKS)
    edges = [
        (points[eye][list(UPPER_LID)], points[eye][list(LOWER_LID)])
        for eye in (LEFT_EYE, RIGHT_EYE)
    ]
    edges.append((points[list(UPPER_LIP)], points[list(LOWER_LIP)]))
    rows = np.zeros((3, NUM_LANDMARKS, 2))
    for row, (upper, lower) in zip(rows, edges, strict=True):
        row[upper, 1] = -1 / len(upper)
        row[lower, 1] = 1 / len(lower)
    return rows.reshape(3, -1)


def _observed(wanted: Array, plan: CorrectionPlan, guided: int, count: int) -> tuple[Array, Array]:
    """Return what is seen of landmark changes [2P], [R, 2P] in units of its noise.

    And beyond how many of those units each row counts less, [R]. `wanted` [T, P, 2] are landmarks.
    """
    seen = without_placement(wanted.mean(0)) / plan.noise
    outlier = np.full(len(seen), plan.outlier)
    if guided < count or not plan.opening_noise:  # a pose opens nothing
        return seen, outlier
    return (
        np.vstack([seen, openings() / plan.opening_noise]),
        np.append(outlier, np.full(3, plan.opening_outlier)),
    )


def corrected(
    read: ReadLandmarks, controls: Array, information: Array, wanted: Array, plan: CorrectionPlan
) -> tuple[Array, Array]:
    """Return controls [T, K] moved towards the landmarks `wanted` [T, P, 2], and their information.

    `information` [T, K, K] are the pictures' normal matrices. A frame without landmarks is NaN in
    `wanted` and keeps its controls. The mean difference over the clip belongs to the person, not
    to the motion, and is ignored. One Gauss-Newton step, with one reading of every frame. Where
    all controls are guided, how far lids and lips are open counts beside the landmarks.
    """
    frames = np.flatnonzero(np.isfinite(wanted).all((1, 2)))
    if not len(frames):
        return controls, information
    count = controls.shape[1]
    guided = count if plan.guided is None else plan.guided
    prior = np.eye(count) / plan.prior**2
    directions = guided_directions(information[frames].mean(0) + prior, guided)
    steps = per_control(plan.step, count).numpy()[:guided]
    derivative = landmark_derivative(read, np.median(controls[frames], axis=0), steps, directions)
    if derivative is None:
        return controls, information
    differences = wanted[frames] - read(controls[frames])
    readable = np.isfinite(differences).all((1, 2))
    frames, differences = frames[readable], differences[readable]
    if not len(frames):
        return controls, information
    seen, outlier = _observed(wanted[frames], plan, guided, count)
    # landmarks say nothing about the controls that they do not move
    derivative = np.pad(seen @ derivative, ((0, 0), (0, count - guided)))
    centred = differences - differences.mean(0)
    residuals = centred.reshape(len(frames), -1) @ seen.T
    moved, known = controls.copy(), information.copy()
    for t, row in zip(frames, residuals, strict=True):
        weighted = derivative / (1 + (row / outlier) ** 2)[:, None]
        known[t] += derivative.T @ weighted
        step = np.linalg.solve(known[t] + prior, weighted.T @ row)
        moved[t] += step * min(1.0, plan.largest_move / max(float(np.abs(step).max()), 1e-9))
    return moved, known
