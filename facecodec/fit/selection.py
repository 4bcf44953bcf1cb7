"""Identity selection: which frame shows the person best, and which others tell the most more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecodec.face.signals import SIGNALS

# How much one standard deviation from neutral costs, by signal of facecodec.face.signals.
COST = {"yaw": 3.0, "pitch": 1.5, "roll": 0.5, "mouth_opening": 1.5, "mouth_width": 0.5}
OPEN = 85  # percentile of the eye openings of a clip that counts as open: some look down for long
SHUT = 10  # percentile of the mouth openings that counts as shut: some talk for most of a clip
SPREAD = np.array([0.12, 0.06, 0.03, 0.06, 0.06, 0.06])  # of talking faces, by signal


def select_identity_frame(
    signals: NDArray[np.float64], usable: NDArray[np.bool_], sharpness: NDArray[np.float64]
) -> int:
    """Return the frame that is near frontal, eyes open, mouth neutral and sharp.

    signals [T, 6] as facecodec.face.signals.all_signals, `usable` [T] false where no face was
    found, sharpness [T] any measure that grows with detail.
    Frontal is yaw 0, open eyes are as open as the clip's wider ones, a mouth at rest is as shut as
    the clip's tighter ones and as wide as it is when shut (a pout is no rest); for pitch and roll
    neutral is the clip's own median.
    """
    eyes, mouth, width = map(SIGNALS.index, ("eye_opening", "mouth_opening", "mouth_width"))
    neutral = np.median(signals[usable], axis=0)
    neutral[SIGNALS.index("yaw")] = 0.0
    opening = signals[usable, mouth]
    neutral[mouth] = np.percentile(opening, SHUT)
    shut = opening <= np.percentile(opening, 3 * SHUT)
    neutral[width] = np.median(signals[usable, width][shut])
    neutral[eyes] = np.percentile(signals[usable, eyes], OPEN)
    away = np.abs(signals - neutral) / SPREAD
    cost = sum(weight * away[:, SIGNALS.index(name)] for name, weight in COST.items())
    cost = cost + 2.0 * np.maximum(neutral[eyes] - signals[:, eyes], 0) / SPREAD[eyes]
    blur = np.log(np.median(sharpness[usable]) / np.maximum(sharpness, 1e-9))
    cost = cost + 2.0 * np.maximum(blur, 0)
    return int(np.argmin(np.where(usable, cost, np.inf)))


def select_keyframes(
    signals: NDArray[np.float64], usable: NDArray[np.bool_], first: int, count: int
) -> list[int]:
    """Return up to `count` frames, `first` among them, spread over pose and expression.

    Farthest-point sampling in the space of the signals; extremes beyond 4 spreads are taken for
    failures of the landmarks and passed over.
    """
    unit = (signals - np.median(signals[usable], axis=0)) / SPREAD
    allowed = usable & (np.abs(unit).max(axis=1) < 6)
    allowed[first] = True
    chosen = [first]
    distance = np.linalg.norm(unit - unit[first], axis=1)
    while len(chosen) < min(count, int(allowed.sum())):
        farthest = int(np.argmax(np.where(allowed, distance, -1.0)))
        if distance[farthest] <= 0:
            break
        chosen.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(unit - unit[farthest], axis=1))
    return chosen
