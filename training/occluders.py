"""Synthetic occluders: hands and things drawn over pictures of faces, with the mask they cover."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # [S, S, 3] in 0 to 1
Random = np.random.Generator
NAIL = np.array([1.12, 0.98, 0.98], np.float32)


def smooth_noise(rng: Random, size: int, cells: int) -> NDArray[np.float32]:
    """Return noise [size, size] of about `cells` bumps across, mean 0 and deviation 1."""
    grid = rng.standard_normal((cells + 3, cells + 3))
    at = (np.arange(size) / size) * cells + rng.uniform(0, 1)
    low, part = at.astype(int), at - at.astype(int)
    part = part * part * (3 - 2 * part)
    rows = grid[low] * (1 - part)[:, None] + grid[low + 1] * part[:, None]
    noise = rows[:, low] * (1 - part) + rows[:, low + 1] * part
    return (noise / max(float(noise.std()), 1e-6)).astype(np.float32)


class Canvas:
    """A picture to draw over: what was covered is `mask`, float [S, S]."""

    def __init__(self, picture: Picture) -> None:
        self.picture, self.size = picture.copy(), picture.shape[0]
        self.mask = np.zeros(picture.shape[:2], np.float32)
        axis = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        self.x, self.y = np.meshgrid(axis, axis)

    def shade(self, rng: Random, cover: NDArray[np.float32]) -> None:
        """Darken what lies beside something that covers, `cover` [S, S] of 0 to 1."""
        dx, dy = (int(v) for v in rng.integers(-5, 6, 2))
        shadow = np.roll(np.roll(cover, dy, 0), dx, 1)
        for _ in range(3):
            shadow = (shadow + np.roll(shadow, 2, 0) + np.roll(shadow, -2, 0)
                      + np.roll(shadow, 2, 1) + np.roll(shadow, -2, 1)) / 5  # fmt: skip
        dark = rng.uniform(0, 0.45) * shadow * (1 - self.mask)
        self.picture *= 1 - dark[..., None]

    def put(self, cover: NDArray[np.float32], colours: Picture) -> None:
        """Lay colours [S, S, 3] over the picture where `cover` [S, S] is 1."""
        self.picture += cover[..., None] * (colours - self.picture)
        self.mask = np.maximum(self.mask, cover)

    def capsule(
        self, a: NDArray[np.float64], b: NDArray[np.float64], wide: float, end: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return a limb from `a` [2] to `b` [2]: cover, and places across and along it, [S, S]."""
        along = b - a
        t = ((self.x - a[0]) * along[0] + (self.y - a[1]) * along[1]) / max(along @ along, 1e-6)
        t = np.clip(t, 0, 1)
        radius = wide + (end - wide) * t
        dx, dy = self.x - a[0] - t * along[0], self.y - a[1] - t * along[1]
        away = np.hypot(dx, dy) / radius
        side = (dx * -along[1] + dy * along[0]) / max(np.hypot(*along), 1e-6) / radius
        cover = np.clip((1 - away) * radius * self.size + 0.5, 0, 1)
        return cover.astype(np.float32), side.astype(np.float32), t.astype(np.float32)


def limb_colours(
    rng: Random, canvas: Canvas, colour: NDArray[np.float32], side: NDArray[np.float32],
    t: NDArray[np.float32], light: float, creases: Iterable[float],
) -> Picture:  # fmt: skip
    """Return the colours [S, S, 3] of a round limb [S, S] lit from one side, with creases."""
    bright = 1 - rng.uniform(0.1, 0.4) * np.clip(side, -1, 1) ** 2 + light * np.clip(side, -1, 1)
    for crease in creases:
        bright = bright - rng.uniform(0, 0.15) * np.exp(-(((t - crease) / 0.04) ** 2))
    bright = bright + 0.04 * smooth_noise(rng, canvas.size, int(rng.integers(4, 24)))
    return (colour * bright[..., None]).astype(np.float32)


def hand(rng: Random, canvas: Canvas, colour: NDArray[np.float32]) -> None:
    """Draw a hand from below or beside, forearm, palm and fingers, of a colour [3]."""
    centre = np.array([0.5 + rng.normal(0, 0.17), 0.62 + rng.normal(0, 0.16)])
    size = rng.uniform(0.09, 0.17)  # half the palm's width
    angle = rng.normal(0, 0.8)  # 0: fingers up
    up = np.array([np.sin(angle), -np.cos(angle)])
    right = np.array([-up[1], up[0]])
    light = rng.uniform(-0.25, 0.25)
    parts = []
    wrist = centre - up * size * 1.3
    parts.append((wrist - up * 1.5, wrist, size * rng.uniform(0.6, 0.95), size * 0.7, ()))
    parts.append((centre - up * size * 0.5, centre + up * size * 0.4, size, size * 1.05, ()))
    curl = rng.choice([1.0, rng.uniform(0.2, 0.9)], p=[0.6, 0.4])
    splay = rng.uniform(0.0, 0.35)
    fingers = np.arange(4) - 1.5
    shown = fingers[: rng.integers(1, 5)] if rng.random() < 0.25 else fingers
    for k in rng.permutation(shown):
        base = centre + up * size * 0.9 + right * k * size * 0.52
        lean = angle + k * splay * 0.5 + rng.normal(0, 0.06)
        way = np.array([np.sin(lean), -np.cos(lean)])
        long = size * rng.uniform(1.6, 2.3) * curl
        wide = size * rng.uniform(0.24, 0.31)
        if rng.random() < 0.4:  # bent at a joint
            bend = lean + rng.normal(0, 0.5)
            middle = base + way * long * 0.55
            tip = middle + np.array([np.sin(bend), -np.cos(bend)]) * long * 0.5
            parts.append((base, middle, wide, wide * 0.95, (0.9,)))
            parts.append((middle, tip, wide * 0.95, wide * 0.8, (0.4,)))
        else:
            parts.append((base, base + way * long, wide, wide * 0.8, (0.35, 0.7)))
    if rng.random() < 0.7:
        hand_side = rng.choice([-1, 1])
        base = centre + right * hand_side * size * 0.8 - up * size * 0.3
        lean = angle + hand_side * rng.uniform(0.2, 1.1)
        tip = base + np.array([np.sin(lean), -np.cos(lean)]) * size * rng.uniform(1.0, 1.7)
        parts.append((base, tip, size * 0.36, size * 0.26, (0.5,)))
    sleeve = rng.random() < 0.5
    cloth = rng.uniform(0, 1, 3).astype(np.float32)
    drawn = [canvas.capsule(a, b, wide, end) for a, b, wide, end, _ in parts]
    canvas.shade(rng, np.max([cover for cover, _, _ in drawn], axis=0))
    for i, (cover, side, t) in enumerate(drawn):
        base_colour = cloth if sleeve and i == 0 else colour * rng.uniform(0.92, 1.06)
        if i > 1:  # fingers cast a little shadow on what they lie upon
            canvas.picture *= (1 - 0.5 * rng.uniform(0, 0.4) * np.roll(cover, 1, 1))[..., None]
        colours = limb_colours(rng, canvas, base_colour, side, t, light, parts[i][4])
        if i > 1 and rng.random() < 0.3:
            nail = np.exp(-(((t - 0.88) / 0.09) ** 2) - (side / 0.5) ** 2)[..., None]
            colours = colours * (1 + 0.9 * nail * (NAIL - 1))
        canvas.put(cover, colours)


def thing(rng: Random, canvas: Canvas, texture: Picture) -> None:
    """Draw a cup, a telephone, a microphone, a scarf or an edge, of a texture [S, S, 3]."""
    kind = rng.integers(4)
    centre = np.array([0.5 + rng.normal(0, 0.2), 0.65 + rng.normal(0, 0.2)])
    angle = rng.uniform(-np.pi, np.pi)
    u = (canvas.x - centre[0]) * np.cos(angle) + (canvas.y - centre[1]) * np.sin(angle)
    v = -(canvas.x - centre[0]) * np.sin(angle) + (canvas.y - centre[1]) * np.cos(angle)
    wide, tall = rng.uniform(0.06, 0.22, 2)
    if kind == 0:  # rounded box
        corner = rng.uniform(0.01, 0.05)
        du, dv = np.maximum(np.abs(u) - wide, 0), np.maximum(np.abs(v) - tall, 0)
        depth = corner - np.hypot(du, dv)
    elif kind == 1:  # ellipse, perhaps on a stick
        depth = (1 - np.hypot(u / wide, v / tall)) * min(wide, tall)
        stick = np.minimum(0.35 * wide - np.abs(u), np.minimum(v, 1.5 - v))
        depth = np.maximum(depth, stick) if rng.random() < 0.5 else depth
    elif kind == 2:  # blob
        depth = 0.12 - np.hypot(u, v) + 0.05 * smooth_noise(rng, canvas.size, 4)
    else:  # all beyond an edge, from below or beside
        lean = rng.normal(0, 0.5) + rng.choice([0, 0, np.pi / 2, -np.pi / 2])
        across = (canvas.x - 0.5) * np.sin(lean) + (canvas.y - 0.5) * np.cos(lean)
        depth = across - rng.uniform(0.12, 0.35) + 0.01 * smooth_noise(rng, canvas.size, 3)
    cover = np.clip(depth * canvas.size + 0.5, 0, 1).astype(np.float32)
    canvas.shade(rng, cover)
    if rng.random() < 0.5:
        colours = np.broadcast_to(rng.uniform(0, 1, 3).astype(np.float32), texture.shape)
        bright = 1 + 0.15 * smooth_noise(rng, canvas.size, int(rng.integers(1, 12)))
        colours = colours * (bright + rng.uniform(-0.6, 0.6) * u)[..., None]
    else:
        colours = texture
    canvas.put(cover, colours.astype(np.float32))


def covered(
    rng: Random, face: Picture, inner: NDArray[np.bool_], other: Picture
) -> tuple[Picture, NDArray[np.float32]]:
    """Return a face with something before it or not, and what is covered, [S, S] of 0 to 1.

    `inner` [S, S] is where the face's skin is, `other` a picture that things take colours from.
    """
    canvas = Canvas(face)
    what = rng.random()
    skin = face[inner].reshape(-1, 3)
    colour = np.median(skin, axis=0) * rng.normal(1, 0.1) * (1 + rng.normal(0, 0.03, 3))
    if rng.random() < 0.2:
        colour = other[40:90, 45:85].reshape(-1, 3).mean(0)
    if 0.3 < what < 0.8:
        hand(rng, canvas, colour.astype(np.float32))
        if rng.random() < 0.15:
            hand(rng, canvas, colour.astype(np.float32))
    elif what >= 0.8:
        shift = rng.integers(0, canvas.size, 2)
        thing(rng, canvas, np.roll(other, tuple(shift), (0, 1)))
    return np.clip(canvas.picture, 0, 1), canvas.mask


def seen_by_a_camera(rng: Random, picture: Picture) -> Picture:
    """Return a picture [S, S, 3] in other light, colours and sharpness, as clips have them."""
    made = picture ** rng.uniform(0.7, 1.4)
    grey = made.mean(2, keepdims=True)
    made = grey + rng.uniform(0.2, 1.3) * (made - grey)
    made = made * rng.normal(1, 0.08, 3) * rng.uniform(0.6, 1.2) + rng.normal(0, 0.03)
    if rng.random() < 0.5:
        k = rng.uniform(0, 0.5)
        for axis in (0, 1):
            made = (made + k * (np.roll(made, 1, axis) + np.roll(made, -1, axis))) / (1 + 2 * k)
    made = made + rng.uniform(0, 0.03) * rng.standard_normal(made.shape)
    return np.clip(made, 0, 1).astype(np.float32)
