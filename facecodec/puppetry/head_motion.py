"""How a driver's head moves in its frame, and where a source's head goes then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facecodec.bitstream import FrameRecord
from facecodec.face.alignment import Alignment
from facecodec.types import Floats

# A head may leave the place above its shoulders by these, which bend what is more:
SHIFT_LIMIT, TURN_LIMIT, ZOOM_LIMIT = 0.1, 0.3, 0.08  # sides; radians; logarithm of the size
MOVE_LIMITS = np.array([SHIFT_LIMIT, SHIFT_LIMIT, TURN_LIMIT, ZOOM_LIMIT])
SMALLEST_SIDE = 1e-6  # pixels of a square
REST_REACH = 2  # frames to either side of the driver's rest, of which the median is the rest


def head_moves(places: Floats, rest: int, strength: float) -> Floats:
    """Return how a head's square moves from where it is in frame `rest`, in T frames, [T, 4].

    places [T, 4]: x, y, size and angle of the squares, NaN where a frame has none. strength: how
    much of the motion, 1 all. A move is right and down in the square at rest, in its sides, the
    turn in radians, and the logarithm of its size over that at rest.
    """
    count = len(places)
    known = np.flatnonzero(np.isfinite(places).all(1))
    if strength == 0 or len(known) == 0:
        return np.zeros((count, 4))
    rows = places[known].copy()
    rows[:, 3] = np.unwrap(rows[:, 3])
    track = np.stack([np.interp(np.arange(count), known, c) for c in rows.T], axis=1)
    near = slice(max(rest - REST_REACH, 0), rest + REST_REACH + 1)
    x, y, size, angle = np.median(track[near], axis=0)
    right, down = (track[:, 0] - x) / size, (track[:, 1] - y) / size
    cos, sin = np.cos(angle), np.sin(angle)
    zoom = np.log(np.maximum(track[:, 2], SMALLEST_SIDE) / max(size, SMALLEST_SIDE))
    moves = [cos * right + sin * down, cos * down - sin * right, track[:, 3] - angle, zoom]
    result: Floats = MOVE_LIMITS * np.tanh(strength * np.stack(moves, axis=1) / MOVE_LIMITS)
    return result


def moved(place: Alignment, move: Floats) -> Alignment:
    """Return where the square at `place` goes with a move [4]."""
    cos, sin = np.cos(place.angle), np.sin(place.angle)
    right, down = move[:2] * place.size
    return Alignment(
        float(place.x + cos * right - sin * down),
        float(place.y + sin * right + cos * down),
        float(place.size * np.exp(move[3])),
        float(place.angle + move[2]),
    )


def places_of(frames: Sequence[FrameRecord]) -> Floats:
    """Return the squares of a stream's frames, [T, 4], NaN where a frame has none."""
    none = np.full(4, np.nan)
    return np.array([none if f.placement is None else f.placement for f in frames], float)
