"""Correction: the controls of a tracked clip, moved until landmarks do what the clip's do.

A turn by a degree or lips that part by a pixel change few pixels, and a person who is not tuned
gets as many wrong at rest. Landmarks see such motion. Pictures keep their say: controls go along
what they mind least. Of a tuned person, whose pictures show the face's expression better than
landmarks do, only the pose is led.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.fit.tracking import per_control

FEWEST = 4  # controls that a design is made for at least: less hangs on each of eight readings

Array = NDArray[np.float64]
# Controls [N, K] to landmarks [N, P, 2] in sides of the square, NaN where no face is read.
Read = Callable[[Array], Array]


@dataclass(frozen=True)
class CorrectionPlan:
    """How a clip is corrected.

    `noise` is a landmark's, in sides of the square, `outlier` how many of it are taken for a
    misreading and count less. `prior` is the standard deviation of a control, `farthest` how far
    one may be moved. Derivatives are differences over `step` of pose and of offsets. Landmarks move
    the first `led` controls, all if None; the others follow where pictures want them.
    """

    noise: float = 1 / 256
    outlier: float = 3.0
    prior: float = 1.5
    farthest: float = 2.0
    step: tuple[float, float] = (0.5, 1.0)
    led: int | None = None


def design(count: int) -> Array:
    """Return a two-level design [N, count] of -1 and 1 with orthogonal columns, each of mean 0.

    N is a power of two (Sylvester's construction). Moving all controls at once, every reading tells
    of every control (Plackett and Burman 1946).
    """
    rows: Array = np.ones((1, 1))
    while len(rows) <= count:
        rows = np.vstack([np.hstack([rows, rows]), np.hstack([rows, -rows])])
    return rows[:, 1 : count + 1]


def answers(read: Read, centre: Array, steps: Array, along: Array) -> Array | None:
    """Return the landmarks' derivative [2P, D] around controls `centre` [K], `along` [D, K].

    By `steps` [D]. None where too many readings fail.
    """
    moves = design(max(len(along), FEWEST))[:, : len(along)] * steps
    points = read(centre + moves @ along).reshape(len(moves), -1)
    there = np.isfinite(points).all(1)
    if there.sum() <= len(along) + 1:
        return None
    known = np.c_[moves[there], np.ones(there.sum())]
    found: Array = np.linalg.lstsq(known, points[there], rcond=None)[0][:-1].T.astype(np.float64)
    return found


def following(information: Array, led: int) -> Array:
    """Return how controls move when the first `led` do, [led, K]: the others as pictures want.

    `information` [K, K] is what pictures say, priors included.
    """
    others = -np.linalg.solve(information[led:, led:], information[led:, :led]).T
    return np.hstack([np.eye(led), others])


def shape_only(mean: Array) -> Array:
    """Return the projection [2P, 2P] that forgets where a square lies.

    Its shift, size and angle move the landmarks `mean` [P, 2] as no face does.
    """
    x, y = (mean - mean.mean(0)).T
    one, none = np.ones(len(mean)), np.zeros(len(mean))
    moves = [(one, none), (none, one), (x, y), (-y, x)]
    basis = np.linalg.qr(np.stack([np.stack(m, 1).ravel() for m in moves], 1))[0]
    projection: Array = np.eye(len(basis)) - basis @ basis.T
    return projection


def corrected(
    read: Read, controls: Array, information: Array, wanted: Array, plan: CorrectionPlan
) -> tuple[Array, Array]:
    """Return controls [T, K] moved to the landmarks `wanted` [T, P, 2], and their information.

    `information` [T, K, K] is what pictures say about the controls, NaN in `wanted` a frame without
    landmarks, which stays. What the person's landmarks are off in the mean over the clip is the
    person's, not the motion's. One Gauss-Newton step on one look at every frame.
    """
    there = np.flatnonzero(np.isfinite(wanted).all((1, 2)))
    if not len(there):
        return controls, information
    count = controls.shape[1]
    led = count if plan.led is None else plan.led
    prior = np.eye(count) / plan.prior**2
    along = following(information[there].mean(0) + prior, led)
    steps = per_control(plan.step, count).numpy()[:led]
    answer = answers(read, np.median(controls[there], axis=0), steps, along)
    if answer is None:
        return controls, information
    missed = wanted[there] - read(controls[there])
    seen = np.isfinite(missed).all((1, 2))
    there, missed = there[seen], missed[seen]
    if not len(there):
        return controls, information
    forget = shape_only(wanted[there].mean(0))
    # landmarks say nothing of the controls that follow
    answer = np.pad(forget @ answer / plan.noise, ((0, 0), (0, count - led)))
    away = (missed - missed.mean(0)).reshape(len(there), -1) @ forget.T / plan.noise
    moved, known = controls.copy(), information.copy()
    for t, row in zip(there, away, strict=True):
        weighted = answer / (1 + (row / plan.outlier) ** 2)[:, None]
        known[t] += answer.T @ weighted
        step = np.linalg.solve(known[t] + prior, weighted.T @ row)
        moved[t] += step * min(1.0, plan.farthest / max(float(np.abs(step).max()), 1e-9))
    return moved, known
