"""Recovery: frames whose expression a descent missed restart from what their landmarks show.

A shouting mouth is too far from a shut one for a descent on pictures, which then paints the shout
onto a shut mouth; an inversion or a tuning that starts there learns the paint. Landmarks say where
the lips are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.signals import NUM_POSE
from facecodec.fit.kept_tracking import KeptTracker
from facecodec.fit.objective import Target
from facecodec.fit.response import Response
from facecodec.fit.retargeting import ReadFeatures, Retargeter, RetargetingPlan
from facecodec.fit.tracking import Tracker

Array = NDArray[np.float64]
# A tracker of a person, their response and the frames' controls [K, num_controls] to better
# controls, same shape.
Recover = Callable[[Tracker | KeptTracker, Response, Tensor], Tensor]

# A frame is lost where its feature error is above `LOST_RATIO` times the median of the frames, but
# never below the first and always above the second of these errors, in units of the features.
LOST_RATIO = 1.5
NEVER_LOST_BELOW, ALWAYS_LOST_ABOVE = 1.5, 3.0
ACCEPTED_RATIO = 0.9  # new controls are taken where they leave less than this share of the error
# Standard deviations that a control may reach: the person's own face can go as far as it does.
CONTROL_LIMIT = 30.0
# The prior keeps what landmarks do not see, as eyes of a shouting face, as natural as it can be.
GUIDANCE = RetargetingPlan(iterations=12, noise=4.0, prior=5.0)


def feature_error(read: ReadFeatures, controls: Array, wanted: Array) -> float:
    """Return the mean absolute difference of the features at controls [num_controls].

    From `wanted` [F], in units of the features. Infinite where no face is read, NaN where `wanted`
    is not known.
    """
    if not np.isfinite(wanted).all():
        return np.nan
    error = np.abs(read(controls[None])[0] - wanted).mean()
    return float(error) if np.isfinite(error) else np.inf


def guided_by_landmarks(
    retargeter: Retargeter, controls: Array, recovered_before: Sequence[Array], wanted: Array
) -> Array:
    """Return controls [num_controls] that retargeting to features `wanted` [F] ends at.

    It starts at the pose of `controls` [num_controls], once with offsets at rest and once with the
    offsets of the nearest of `recovered_before`, controls [num_controls] of other frames: a search
    may get stuck from either. The better end is returned.
    """

    def error(end: Array) -> float:
        """Return how far controls [num_controls] are from the features wanted."""
        return feature_error(retargeter.read, end, wanted)

    pose, at_rest = controls[:NUM_POSE], 0 * controls
    rest, *alike = [
        np.concatenate([pose, other[NUM_POSE:]]) for other in (at_rest, *recovered_before)
    ]
    ends = []
    for start in [rest, min(alike, key=error)] if alike else [rest]:
        retargeter.forget()
        ends.append(retargeter.follow(start, wanted)[0])
    return min(ends, key=error)


def recovered(
    tracker: Tracker | KeptTracker,
    read: ReadFeatures,
    targets: Sequence[Target],
    wanted: Array,
    controls: Tensor,
) -> Tensor:
    """Return the controls [K, num_controls] of some frames, recomputed where they were lost.

    `read` gives the features of the person at controls, `wanted` [K, F] are those of the frames,
    NaN where they have none. A frame is lost where its features are far off, or much farther than
    those of the others. Its controls are guided by its landmarks and tracked from there. Where
    tracking leads away from the landmarks, as for a person who lacks that expression so far, the
    guided controls stand. They are taken only where they leave a smaller error than before.
    """
    rows = controls.double().cpu().numpy()
    errors = np.array([feature_error(read, row, w) for row, w in zip(rows, wanted, strict=True)])
    if not np.isfinite(errors).any():
        return controls
    limit = float(np.clip(LOST_RATIO * np.nanmedian(errors), NEVER_LOST_BELOW, ALWAYS_LOST_ABOVE))
    lost = np.flatnonzero(errors > limit).tolist()
    if not lost:
        return controls
    result, guided = controls.clone(), list[Array]()
    retargeter = Retargeter(read, np.full(rows.shape[1], CONTROL_LIMIT), GUIDANCE)
    for k in lost:
        guided.append(guided_by_landmarks(retargeter, rows[k], guided, wanted[k]))
        row = tracker.track(targets[k], [torch.from_numpy(guided[-1])], None).controls
        error = feature_error(read, row, wanted[k])
        if error > limit and feature_error(read, guided[-1], wanted[k]) < ACCEPTED_RATIO * error:
            row, error = guided[-1], feature_error(read, guided[-1], wanted[k])
        if error < ACCEPTED_RATIO * errors[k]:
            result[k] = torch.from_numpy(row).to(result)
    return result
