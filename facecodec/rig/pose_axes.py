"""The pose axes: which direction in W turns the head, and leaves the expression alone."""

from __future__ import annotations

import numpy as np

from facecodec.face.signals import POSE_SIGNALS
from facecodec.generator.sampling import Sample
from facecodec.rig.rig import PoseAxis
from facecodec.types import Floats

POSE_ROWS = 8  # of W+, the coarse ones, which place the head; finer ones only repaint it
HELD_OUT = 0.2  # share of the faces, the last ones, on which the prediction is measured
RIDGE = 30.0  # penalty per squared weight of the regression on W, whose coordinates are near 1
DIRECTION_DIGITS, STD_DIGITS, CORRELATION_DIGITS = 5, 5, 3  # decimal places that are kept


def find_pose_axes(sample: Sample) -> tuple[PoseAxis, ...]:
    """Return yaw, pitch and roll as directions in W.

    An axis is the change of the mean face with one signal while all other signals (other angles,
    mouth, eyes) stay: W regressed on the signals, not the signals on W, so that it stays among
    faces. The correlation reported is of the opposite regression, on the held-out faces.
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
            tuple(float(v) for v in np.round(directions[i], DIRECTION_DIGITS)),
            POSE_ROWS,
            round(correlations[i], CORRELATION_DIGITS),
            round(float(spread[i]), STD_DIGITS),
        )
        for i, name in enumerate(POSE_SIGNALS)
    )


def held_out_correlations(w: Floats, unit: Floats) -> list[float]:
    """Return, for each signal, the correlation of its ridge regression on W with unseen faces.

    `w` [N, w_dim] and `unit` [N, 6], standardised signals, are of the same faces.
    """
    split = int(len(w) * (1 - HELD_OUT))
    mean = w[:split].mean(0)
    x, y = w[:split] - mean, unit[:split]
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(w.shape[1]), x.T @ (y - y.mean(0)))
    predicted = (w[split:] - mean) @ weights
    return [
        float(np.corrcoef(predicted[:, i], unit[split:, i])[0, 1]) for i in range(unit.shape[1])
    ]
