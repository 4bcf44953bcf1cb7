"""BD-rate: how many percent more or fewer bytes one codec needs for the quality of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

INTEGRATION_POINTS = 201  # at which the curves are compared, ends included

Points = Sequence[tuple[float, float]]  # (rate, quality), any order


def bd_rate(anchor: Points, other: Points, higher_is_better: bool = True) -> float | None:
    """Return the mean difference in rate of `other` against `anchor` at equal quality, in percent.

    -30 says that `other` needs 30 % fewer bytes. The mean of the difference of log(rate) over the
    qualities that both reach (Bjøntegaard, VCEG-M33), between the points along straight lines
    rather than a fitted cubic, which swings between few points. None when either has fewer than
    two points or no quality is reached by both.
    """
    curves = [_curve(points, higher_is_better) for points in (anchor, other)]
    if any(len(quality) < 2 for quality, _ in curves):
        return None
    low = max(quality[0] for quality, _ in curves)
    high = min(quality[-1] for quality, _ in curves)
    if high <= low:
        return None
    at = np.linspace(low, high, INTEGRATION_POINTS)
    first, second = (np.interp(at, quality, rate) for quality, rate in curves)
    return float(100 * (np.exp((second - first).mean()) - 1))


def _curve(points: Points, higher_is_better: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return quality [N] and log(rate) [N], without points that cost more and are no better."""
    sign = 1 if higher_is_better else -1
    kept: list[tuple[float, float]] = []
    for rate, quality in sorted(points):
        if not np.isfinite(quality) or rate <= 0:
            continue
        if not kept or sign * quality > kept[-1][1]:
            kept.append((rate, sign * quality))
    return np.array([q for _, q in kept]), np.log(np.array([rate for rate, _ in kept]))
