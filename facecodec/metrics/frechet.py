"""The Fréchet distance of two sets of features: what FID and FVD are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]


def frechet_distance(a: Features, b: Features) -> float | None:
    """Return |mean difference|^2 + tr(A + B - 2 sqrt(A B)) of Gaussians fitted to [N, D], [M, D].

    With A = X'X and B = Y'Y, the trace of sqrt(A B) is the sum of the singular values of X Y':
    exact for any number of samples, and small where there are fewer samples than features.
    None with fewer than two samples in either.
    """
    if len(a) < 2 or len(b) < 2:
        return None
    x, y = (_factor(features) for features in (a, b))
    shared = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    shift = a.mean(0) - b.mean(0)
    return max(float(shift @ shift + (x * x).sum() + (y * y).sum() - 2 * shared), 0.0)


def _factor(features: Features) -> Features:
    """Return X [R, D] with X'X the covariance of features [N, D], R no larger than N and D."""
    centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        factor: Features = centred
    else:
        factor = np.linalg.qr(centred).R
    return factor
