"""The mean of w, for networks that come without one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

MEAN_SAMPLES = 4096
_MEAN_GRID = 1024  # coarse enough that every machine rounds to the same float


def mean_latent(layers: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the mean of w over seeded samples, float32 [512], equal on every machine.

    `layers` are the weights [512, 512] and biases [512] of the mapping network, gains folded in.
    Computed in double precision and rounded to 1/1024, far coarser than the arithmetic's noise.
    """
    x = np.random.Generator(np.random.PCG64(0)).standard_normal((MEAN_SAMPLES, 512))
    x /= np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-8)
    for weight, bias in layers:
        x = x @ weight.T.astype(np.float64) + bias
        x = np.where(x < 0, 0.2 * x, x) * np.sqrt(2)
    mean: np.ndarray = np.round(x.mean(axis=0) * _MEAN_GRID) / _MEAN_GRID
    return mean.astype(np.float32)
