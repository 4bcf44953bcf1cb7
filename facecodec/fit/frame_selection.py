"""Frame selection: which frame shows the person best, and which others add most to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.face.signals import SIGNALS

Array = NDArray[np.float64]

# Standard deviation of each signal within a clip of a person who talks.
SIGNAL_SPREADS = np.array([0.12, 0.06, 0.03, 0.06, 0.06, 0.06])
# What one spread away from the usual face costs a candidate for the identity frame, by signal.
# A turned head hides half a face, an open mouth is hard to close; a roll is aligned away.
SIGNAL_COSTS = {"yaw": 3.0, "pitch": 1.5, "roll": 0.5, "mouth_opening": 1.5, "mouth_width": 0.5}
LID_COST = 2.0  # per spread by which eyes are less open than `OPEN_EYES`
BLUR_COST = 2.0  # per factor of e by which a frame is less sharp than the median one
# Percentiles over the clip, since some people look down, or talk, for most of a clip:
OPEN_EYES = 85  # of the eye openings, that counts as open
SHUT_MOUTH = 10  # of the mouth openings, that counts as shut
NEARLY_SHUT_MOUTH = 3 * SHUT_MOUTH  # of them, up to which the mouth's width counts as that at rest
# A frame with a signal this many spreads from the median is taken for a failure of the landmarks.
LARGEST_DISTANCE = 6.0


def select_identity_frame(signals: Array, usable: NDArray[np.bool_], sharpness: Array) -> int:
    """Return the number of the frame that is nearly frontal, sharp, eyes open and mouth at rest.

    `signals` [T, 6] as facecodec.face.signals.all_signals, `usable` [T] false where there is no
    face, `sharpness` [T] any measure that grows with detail. Frontal is yaw 0; open eyes are as
    open as the clip's wider ones; a mouth at rest is as shut as the clip's tighter ones and as wide
    as it is when nearly shut (a pout is no rest). The usual pitch and roll are the clip's medians.
    """
    eyes, mouth, width = map(SIGNALS.index, ("eye_opening", "mouth_opening", "mouth_width"))
    usual = np.median(signals[usable], axis=0)
    usual[SIGNALS.index("yaw")] = 0.0
    opening = signals[usable, mouth]
    usual[mouth] = np.percentile(opening, SHUT_MOUTH)
    nearly_shut = opening <= np.percentile(opening, NEARLY_SHUT_MOUTH)
    usual[width] = np.median(signals[usable, width][nearly_shut])
    usual[eyes] = np.percentile(signals[usable, eyes], OPEN_EYES)
    distance = np.abs(signals - usual) / SIGNAL_SPREADS
    cost = sum(weight * distance[:, SIGNALS.index(name)] for name, weight in SIGNAL_COSTS.items())
    lids = np.maximum(usual[eyes] - signals[:, eyes], 0)
    cost = cost + LID_COST * lids / SIGNAL_SPREADS[eyes]
    blur = np.log(np.median(sharpness[usable]) / np.maximum(sharpness, 1e-9))
    cost = cost + BLUR_COST * np.maximum(blur, 0)
    return int(np.argmin(np.where(usable, cost, np.inf)))


def select_keyframes(
    signals: Array, usable: NDArray[np.bool_], first: int, count: int
) -> list[int]:
    """Return the numbers of up to `count` frames, `first` among them, of all poses and expressions.

    `signals` [T, 6] and `usable` [T] as in `select_identity_frame`. Frames with a signal farther
    than `LARGEST_DISTANCE` spreads from the median are passed over.
    """
    unit = (signals - np.median(signals[usable], axis=0)) / SIGNAL_SPREADS
    allowed = usable & (np.abs(unit).max(axis=1) < LARGEST_DISTANCE)
    allowed[first] = True
    return farthest_points(unit, first, count, allowed)


def farthest_points(
    points: Array, first: int, count: int, allowed: NDArray[np.bool_] | None = None
) -> list[int]:
    """Return the indices of up to `count` points [N, D] that are spread over all, `first` first.

    Farthest-point sampling (Gonzalez 1985): each is the one farthest from those before it. Only
    points that are `allowed` [N], all by default, are returned, and no two equal ones.
    """
    allowed = np.ones(len(points), np.bool_) if allowed is None else allowed
    chosen = [first]
    distance = np.linalg.norm(points - points[first], axis=1)
    while len(chosen) < min(count, int(allowed.sum())):
        farthest = int(np.argmax(np.where(allowed, distance, -1.0)))
        if distance[farthest] <= 0:
            break
        chosen.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(points - points[farthest], axis=1))
    return chosen
