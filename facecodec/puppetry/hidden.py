"""What a hand hides of a driver's face: landmarks there are guesses, and would move the puppet."""

from __future__ import annotations

import numpy as np

from facecodec.clip.clip import Clip
from facecodec.clip.occlusion import visible
from facecodec.clip.scan import SQUARE_PIXELS
from facecodec.face.expression import (
    BROW_FEATURES,
    LID_FEATURES,
    LIP_FEATURES,
    NUM_FEATURES,
    OUTLINE_FEATURES,
)
from facecodec.face.gaze import gaze
from facecodec.face.layout import BROWS, EYES, MOUTH
from facecodec.types import Flags, Floats, Landmarks, Picture

PITCH = 1  # the feature of pose that is read from the mouth too
# Landmarks, and the features that are read from them.
PARTS = (
    (MOUTH, (OUTLINE_FEATURES, LIP_FEATURES, slice(PITCH, PITCH + 1))),
    (EYES, (LID_FEATURES,)),
    (BROWS, (BROW_FEATURES,)),
)
HIDDEN_SHARE = 0.3  # of a part's landmarks, from which on it counts as hidden


def seen_face(clip: Clip) -> tuple[Floats, Floats]:
    """Return what the face of a clip does, [T, 50], and its irises, [T, 2, 2]; NaN without one.

    What is hidden in a frame goes on from the last frame that shows it to the next.
    """
    known, looks = clip.features, _looks(clip)
    frames = np.flatnonzero(clip.occluded & np.isfinite(known).all(1)).tolist()
    if not frames:
        return known, looks
    hidden = np.zeros(known.shape, bool)
    for frame, square in clip.squares_at(frames).items():
        hidden[frame] = hidden_features(square, clip.landmarks[frame])
    looks[hidden[:, LID_FEATURES].any(1)] = np.nan
    return bridged(known, hidden), looks


def _looks(clip: Clip) -> Floats:
    """Return where the irises of a clip lie in each frame, [T, 2, 2] (`facecodec.face.gaze`)."""
    looks = np.full((len(clip), 2, 2), np.nan)
    for frame, (_, square) in enumerate(clip.squares(SQUARE_PIXELS)):
        points = SQUARE_PIXELS * clip.landmarks[frame]
        if np.isfinite(points).all():
            looks[frame] = gaze(square, points)
    return looks


def hidden_features(square: Picture, landmarks: Landmarks) -> Flags:
    """Return which features cannot be read, bool [50], of a square [S, S, 3] with an occlusion.

    landmarks: [68, 2], 0 to 1.
    """
    clear = visible(square, landmarks)[0].numpy()
    size = len(clear)
    x, y = np.clip(np.rint(landmarks * size).astype(int), 0, size - 1).T
    hidden = np.zeros(NUM_FEATURES, bool)
    for part, features in PARTS:
        if (1 - clear[y[part], x[part]]).mean() > HIDDEN_SHARE:
            for which in features:
                hidden[which] = True
    return hidden


def bridged(known: Floats, hidden: Flags) -> Floats:
    """Return features [T, 50] in which `hidden` ones, bool [T, 50], lie on a line over time.

    Beyond the first and the last that are seen they hold. A feature that is never seen stays.
    """
    result, time = known.copy(), np.arange(len(known))
    face = np.isfinite(known).all(1)
    for k in np.flatnonzero(hidden.any(0)):
        good = face & ~hidden[:, k]
        bad = face & hidden[:, k]
        if good.any():
            result[bad, k] = np.interp(time[bad], time[good], known[good, k])
    return result
