"""Look: controls of gaze with which a source looks as far from their rest as the driver does.

What a tracker writes of a driver's eyes explains the pixels of that driver alone, and may be half
the way or the other way round on another face. So irises are read in pictures, the driver's, and
the source's at rest with each control of gaze moved, which tells how far it has to go.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facecodec.face.gaze import moved_together
from facecodec.fit.smoothing import smooth
from facecodec.types import Flags, Floats

# Controls [N, K], counted from the source at rest, to where irises lie, [N, 2, 2]
# (`facecodec.face.gaze`), NaN where an eye is shut.
ReadGaze = Callable[[Floats], Floats]

STEP = 2.0  # standard deviations of the central differences that give the derivative
NOISE = 0.005  # standard deviation of a reading, in widths of an eye
PRIOR = 2.5  # standard deviation of a control of gaze
MOTION = 0.6  # of its step from frame to frame
# Of an eye's width by a standard deviation: a control of gaze that moves irises less colours them.
LEAST_SLOPE = 0.008


def away_from_usual(looks: Floats) -> Floats:
    """Return how far a driver looks, [T, 2], from where they look most; NaN where it is not known.

    looks: [T, 2, 2], where the irises lie. A source at rest, too, looks where it mostly does, at
    the camera as a rule; the frame in which a driver's mouth is at rest may look anywhere.
    """
    usual = np.full((2, 2), np.nan)
    for eye in range(2):
        known = np.isfinite(looks[:, eye]).all(1)
        if known.any():
            usual[eye] = np.median(looks[known, eye], axis=0)
    return moved_together(looks - usual)


def looking(read: ReadGaze, which: Flags, away: Floats, limit: float) -> Floats | None:
    """Return controls [T, G] of gaze, those of `which`, bool [K], with which a source looks as far.

    away: how far the driver looks, [T, 2], NaN unknown. limit: of a control. What controls do is
    read at rest alone: eyes that are half shut cannot be read, and lids are sought afterwards, with
    these eyes. Controls that hardly move irises stay at rest. None where the eyes of the source, or
    of the driver, cannot be read.
    """
    places = np.flatnonzero(which)
    known = np.asarray(np.isfinite(away).all(1))
    steps = STEP * np.eye(len(which))[places]
    if not len(places) or not known.any():
        return None
    up, down = np.split(read(np.concatenate([steps, -steps])), 2)
    moves = np.nan_to_num(moved_together(up - down)) / (2 * STEP)
    moving = np.linalg.norm(moves, axis=1) > LEAST_SLOPE
    if not moving.any():
        return None
    slope = moves[moving].T / NOISE
    normal = slope.T @ slope + np.eye(slope.shape[1]) / PRIOR**2
    wanted = np.where(known[:, None], away, 0.0) / NOISE
    sought = np.clip(np.linalg.solve(normal, slope.T @ wanted.T).T, -limit, limit)
    steady = smooth(sought, known[:, None, None] * normal, np.full(slope.shape[1], MOTION))
    controls = np.zeros((len(away), len(places)))
    controls[:, moving] = steady
    return controls
