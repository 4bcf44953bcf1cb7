"""Synthetic rooms: what may be behind a person, so that a network learns edges for any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from occluders import smooth_noise

Picture = NDArray[np.float32]  # [S, S, 3] in 0 to 1
Random = np.random.Generator
TRIED_PARTS = 6


def room(rng: Random, size: int, other: Picture, person: NDArray[np.float32]) -> Picture:
    """Return a background [size, size, 3]: a wall, a wall with things, or part of a picture.

    other [S, S, 3]: a picture that a third of the backgrounds are cut from, where it shows little
    of its person [S, S].
    """
    kind = rng.random()
    if kind < 0.3:
        made = _part(rng, size, other, person)
    else:
        made = _wall(rng, size)
        for _ in range(int(rng.integers(0, 9)) if kind < 0.75 else 0):
            _thing(rng, made)
    if rng.random() < 0.5:
        made = _soft(made, int(rng.integers(1, 7)))
    return np.clip(made, 0, 1).astype(np.float32)


def _wall(rng: Random, size: int) -> Picture:
    """Return a wall lit from one side, plain or patterned."""
    colour = np.clip(rng.uniform(0, 1) + rng.normal(0, 0.12, 3), 0, 1).astype(np.float32)
    axis = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    slope = rng.normal(0, 0.3, 2)
    light = 1 + slope[0] * axis[None, :] + slope[1] * axis[:, None]
    light = light + rng.uniform(0, 0.15) * smooth_noise(rng, size, int(rng.integers(2, 40)))
    if rng.random() < 0.25:  # stripes, tiles
        turn, waves = rng.uniform(0, np.pi), rng.uniform(2, 20)
        phase = (np.cos(turn) * axis[None, :] + np.sin(turn) * axis[:, None]) * waves * 2 * np.pi
        light = light + rng.uniform(0.02, 0.3) * np.sign(np.sin(phase))
    return (colour * light[..., None]).astype(np.float32)


def _thing(rng: Random, picture: Picture) -> None:
    """Draw a shelf, a window, a lamp or a round head-like thing into a picture [S, S, 3]."""
    size = picture.shape[0]
    colour = np.clip(rng.uniform(0, 1) + rng.normal(0, 0.15, 3), 0, 1).astype(np.float32)
    x, y = rng.uniform(-0.2, 1.0, 2)
    wide, tall = rng.uniform(0.02, 0.6, 2)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    if rng.random() < 0.6:
        across = (axis > x) & (axis < x + wide)
        down = (axis > y) & (axis < y + tall)
        cover = down[:, None] & across[None, :]
    else:
        u, v = (axis[None, :] - x) / wide * 2, (axis[:, None] - y) / tall * 2
        cover = u * u + v * v < 1
    shade = 1 + 0.15 * smooth_noise(rng, size, int(rng.integers(1, 30)))
    picture[cover] = (colour * shade[..., None])[cover]


def _part(rng: Random, size: int, other: Picture, person: NDArray[np.float32]) -> Picture:
    """Return a part of a picture, turned and enlarged to [size, size, 3]: that of least person."""
    parts = []
    for _ in range(TRIED_PARTS):
        side = int(size * rng.uniform(0.2, 0.6))
        top, left = (int(v) for v in rng.integers(0, other.shape[0] - side + 1, 2))
        parts.append(np.s_[top : top + side, left : left + side])
    part = np.rot90(other[min(parts, key=lambda p: float(person[p].mean()))], int(rng.integers(4)))
    at = (np.arange(size) * part.shape[0]) // size
    result: Picture = part[at][:, at].copy()
    return result


def _soft(picture: Picture, times: int) -> Picture:
    """Return a picture [S, S, 3] out of focus."""
    for step in (1, 2, 3)[: 1 + times // 3]:
        for _ in range(times):
            for axis in (0, 1):
                near = np.roll(picture, step, axis) + np.roll(picture, -step, axis)
                picture = (picture + near) / 3
    return picture
