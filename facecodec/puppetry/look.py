"""Look: controls of gaze with which a source looks as far from their rest as the driver does.

What a tracker writes of a driver's eyes explains the pixels of that driver alone, and may be half
the way or the other way round on another face. So the irises of the source are read in pictures, as
the driver's were, and the controls of gaze are corrected until they lie where they should.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facecodec.face.gaze import moved_together
from facecodec.fit.smoothing import smooth
from facecodec.progress import Progress
from facecodec.types import Flags, Floats

# Controls [N, K] to where irises lie, [N, 2, 2] (`facecodec.face.gaze`), NaN where an eye is shut.
ReadGaze = Callable[[Floats], Floats]

STEP = 2.0  # standard deviations of the central differences that give the derivative
NOISE = 0.005  # standard deviation of a reading, in widths of an eye
PRIOR = 2.5  # standard deviation of a control of gaze
MOTION = 0.6  # of its step from frame to frame
PASSES = 2  # pictures of a frame, each followed by a step
# Of an eye's width by a standard deviation: a control of gaze that moves irises less colours them.
LEAST_SLOPE = 0.008


@dataclass(frozen=True)
class Look:
    """How far to look in each frame: irises' way from where they are at rest, [T, 2], NaN unknown.

    origin: the controls [K] of the source at rest. limit: of a control of gaze.
    """

    away: Floats
    origin: Floats
    limit: float


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


def looking(
    read: ReadGaze, controls: Floats, which: Flags, look: Look, progress: Progress
) -> Floats | None:
    """Return controls [T, K] whose `which`, bool [K], make a source look as is wanted.

    controls: what the source does otherwise. Those of `which` that hardly move irises stay at rest.
    None where the eyes of the source at rest, or a change of them, cannot be read.
    """
    places = np.flatnonzero(which)
    tried = np.tile(look.origin, (1 + 2 * len(places), 1))
    for i, place in enumerate(places):
        tried[1 + i, place] += STEP
        tried[1 + len(places) + i, place] -= STEP
    seen = read(tried)
    up, down = np.split(seen[1:], 2)
    moves = np.nan_to_num(moved_together(up - down)) / (2 * STEP)
    moving = np.linalg.norm(moves, axis=1) > LEAST_SLOPE
    if not moving.any():
        return None
    controls = controls.copy()
    controls[:, places] = look.origin[places]
    places, slope = places[moving], moves[moving].T / NOISE
    rest = np.eye(len(places)) / PRIOR**2
    normal = slope.T @ slope
    moved, information = np.zeros((len(controls), len(places))), []
    here = np.zeros(len(places))
    for t, row in enumerate(controls):
        told = np.isfinite(look.away[t]).all()
        for _ in range(PASSES if told else 0):
            shown = row.copy()
            shown[places] = look.origin[places] + here
            error = (look.away[t] - moved_together(read(shown[None])[0] - seen[0])) / NOISE
            if not np.isfinite(error).all():
                told = False
                break
            step = np.linalg.solve(normal + rest, slope.T @ error - rest @ here)
            here = np.clip(here + step, -look.limit, look.limit)
        moved[t] = here
        information.append(normal + rest if told else np.zeros(normal.shape))
        progress("following the gaze", t + 1, len(controls))
    if not any(block.any() for block in information):
        return None
    controls[:, places] += smooth(moved, np.array(information), np.full(len(places), MOTION))
    return controls
