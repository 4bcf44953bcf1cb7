"""The pose axes: which direction in W turns the head, and leaves the expression alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.generator.sampling import Sample
from facecodec.rig.rig import POSE_NAMES, PoseAxis

POSE_ROWS = 8  # the coarse rows place the head; finer ones only repaint it
HELD_OUT = 0.2
RIDGE = 30.0


def find_pose_axes(sample: Sample) -> tuple[PoseAxis, ...]:
    """Return yaw, pitch and roll as directions in W.

    The axis is the change of the mean face with one signal while all other signals (other angles,
    mouth, eyes) stay: W regressed on the signals, not the signals on W, so that it stays among
    faces. The correlation reported is of the opposite regression, on the held-out last fifth.
    """
    w = sample.w.cpu().numpy().astype(np.float64)
    signals = sample.signals
    centre, spread = signals.mean(0), signals.std(0)
    unit = (signals - centre) / spread
    directions = np.linalg.lstsq(np.c_[unit, np.ones(len(unit))], w, rcond=None)[0]
    correlations = held_out_correlations(w, unit)
    return tuple(
        PoseAxis(
            name,
            tuple(float(v) for v in np.round(directions[i], 5)),
            POSE_ROWS,
            round(correlations[i], 3),
            round(float(spread[i]), 5),
        )
        for i, name in enumerate(POSE_NAMES)
    )


def held_out_correlations(w: NDArray[np.float64], unit: NDArray[np.float64]) -> list[float]:
    """Return, for each signal, the correlation of its ridge regression on W with unseen faces."""
    split = int(len(w) * (1 - HELD_OUT))
    mean = w[:split].mean(0)
    x, y = w[:split] - mean, unit[:split]
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(w.shape[1]), x.T @ (y - y.mean(0)))
    predicted = (w[split:] - mean) @ weights
    return [
        float(np.corrcoef(predicted[:, i], unit[split:, i])[0, 1]) for i in range(unit.shape[1])
    ]
