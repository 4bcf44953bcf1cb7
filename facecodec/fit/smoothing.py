"""Smoothing of tracked controls: strong where the pictures say little, weak elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REGULARISER = 1e-9  # added to every diagonal, so that a frame that says nothing can be solved for


def smooth(controls: Array, information: Array, motion: Array, causal: bool = False) -> Array:
    """Return the controls [T, K] that best agree with all frames at once, without lag.

    Minimises sum_t (c_t - x_t)' H_t (c_t - x_t) + sum_t |(c_t - c_{t-1}) / motion|^2 over c, where
    x are the tracked `controls` [T, K], H_t their `information` [T, K, K] (Gauss-Newton normal
    matrices in inverse squared units, 0 for a frame without a face) and `motion` [K] the standard
    deviation of a step from frame to frame. The system is block-tridiagonal: one forward and one
    backward sweep. `causal` uses the present and earlier frames alone: the forward sweep, which is
    a Kalman filter (Kalman 1960).
    """
    frames, count = controls.shape
    tie = np.diag(1.0 / motion**2)
    pivots = np.empty((frames, count, count))
    sides = np.empty((frames, count))
    for t in range(frames):
        neighbours = (t > 0) + (t < frames - 1)
        pivots[t] = information[t] + neighbours * tie + REGULARISER * np.eye(count)
        sides[t] = information[t] @ controls[t]
        if t > 0:
            carried = np.linalg.solve(pivots[t - 1], np.c_[tie, sides[t - 1]])
            pivots[t] -= tie @ carried[:, :count]
            sides[t] += tie @ carried[:, count]
    result = np.empty_like(controls)
    for t in range(frames - 1, -1, -1):
        if t == frames - 1:
            result[t] = np.linalg.solve(pivots[t], sides[t])
        elif causal:
            result[t] = np.linalg.solve(pivots[t] - tie, sides[t])
        else:
            result[t] = np.linalg.solve(pivots[t], sides[t] + tie @ result[t + 1])
    return result


class CausalFilter:
    """What `smooth` does with `causal`, frame by frame: a Kalman filter (Kalman 1960)."""

    def __init__(self, motion: Array) -> None:
        """`motion` [K] is the standard deviation of a step from frame to frame."""
        self._tie = np.diag(1.0 / motion**2)
        self._last: tuple[Array, Array] | None = None  # pivot [K, K] and right side [K]

    def add(self, controls: Array, information: Array) -> Array:
        """Return the filtered controls [K] of the next frame.

        controls [K] as tracked, information [K, K] their normal matrix, 0 without a face.
        """
        pivot = information + REGULARISER * np.eye(len(controls))
        side: Array = information @ controls
        if self._last is not None:
            carried = np.linalg.solve(self._last[0], np.c_[self._tie, self._last[1]])
            pivot = pivot + self._tie - self._tie @ carried[:, :-1]
            side += self._tie @ carried[:, -1]
        self._last = pivot + self._tie, side
        filtered: Array = np.asarray(np.linalg.solve(pivot, side), np.float64)
        return filtered
