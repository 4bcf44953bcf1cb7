"""Recovery: frames whose expression a descent missed begin anew from what their landmarks show.

A shouting mouth lies too far from a shut one for a descent on pictures, which settles for painting
it; an inversion or a tuning that begins there learns the paint. Landmarks say where the lips are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.fit.objective import Target
from facecodec.fit.response import Response
from facecodec.fit.retargeting import Retargeter, RetargetingPlan, See
from facecodec.fit.tracking import POSE, Tracker

Array = NDArray[np.float64]
# A tracker of a person, their response and the frames' controls [K, 35] to better controls.
Recover = Callable[[Tracker, Response, Tensor], Tensor]

LOST = 2.5  # times the frames' median miss
LEAST, MOST = 4.0, 6.0  # features' units: no frame is lost that misses less, any that does more
BETTER = 0.9  # share of the miss that may be left
REACH = 30.0  # standard deviations: the person's own face may go as far as it does
PLAN = RetargetingPlan(looks=12, noise=4.0, prior=np.inf)


def missed(see: See, controls: Array, wanted: Array) -> float:
    """Return how far the features at controls [35] are from those wanted [F], their mean.

    Infinite where no face is read, NaN where nothing is wanted.
    """
    if not np.isfinite(wanted).all():
        return np.nan
    away = np.abs(see(controls[None])[0] - wanted).mean()
    return float(away) if np.isfinite(away) else np.inf


def lead(retargeter: Retargeter, row: Array, led: Sequence[Array], wanted: Array) -> Array:
    """Return controls [35] to which landmarks lead, those that miss `wanted` [F] least.

    They begin at the pose of `row` [35] with offsets at rest, and once more with those of the
    nearest of `led`, frames led before: a search may get stuck from either.
    """

    def miss(controls: Array) -> float:
        return missed(retargeter.see, controls, wanted)

    rest, *like = [np.concatenate([row[:POSE], other[POSE:]]) for other in (0 * row, *led)]
    ends = []
    for start in [rest, min(like, key=miss)] if like else [rest]:
        retargeter.forget()
        ends.append(retargeter.follow(start, wanted)[0])
    return min(ends, key=miss)


def recovered(
    tracker: Tracker, see: See, targets: Sequence[Target], wanted: Array, controls: Tensor
) -> Tensor:
    """Return the controls [K, 35] of some frames, those of lost ones found anew.

    `see` gives the features of the person at controls, `wanted` [K, F] are the frames' own, NaN
    where they have none. A lost frame misses its features by far, or far more than the others do:
    it is led to its landmarks and tracked from there. Where tracking leads away again, as a person
    does who lacks that mouth yet, it stays where the landmarks led it. It is taken where it misses
    less than before.
    """
    rows = controls.double().cpu().numpy()
    misses = np.array([missed(see, row, w) for row, w in zip(rows, wanted, strict=True)])
    if not np.isfinite(misses).any():
        return controls
    limit = float(np.clip(LOST * np.nanmedian(misses), LEAST, MOST))
    lost = np.flatnonzero(misses > limit).tolist()
    if not lost:
        return controls
    found, led = controls.clone(), list[Array]()
    retargeter = Retargeter(see, np.full(rows.shape[1], REACH), PLAN)
    for k in lost:
        led.append(lead(retargeter, rows[k], led, wanted[k]))
        again = tracker.track(targets[k], [torch.from_numpy(led[-1])], None).controls
        left = missed(see, again, wanted[k])
        if left > limit and missed(see, led[-1], wanted[k]) < BETTER * left:
            again, left = led[-1], missed(see, led[-1], wanted[k])
        if left < BETTER * misses[k]:
            found[k] = torch.from_numpy(again).to(found)
    return found
