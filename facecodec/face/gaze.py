"""Where a face looks: how far the dark of its eyes, the irises, lies from their middle."""

from __future__ import annotations

import numpy as np

from facecodec.face.layout import EYE_CORNERS, LEFT_EYE, LOWER_LID, RIGHT_EYE, UPPER_LID
from facecodec.face.signals import SMALLEST_LENGTH
from facecodec.types import Floats, Landmarks, Picture

# Of an eye's width to either side of its middle: what is looked at, without corners and brows.
REACH_ACROSS, REACH_DOWN = 0.42, 0.25
COLUMNS, ROWS = 43, 26  # points of an eye at which its picture is read
DARK_SHARE = 0.5  # of an eye's points count as dark, each by how much darker it is than the rest
FEWEST_POINTS = 20  # of an eye between its lids, with fewer it is shut
SHUT, OPEN = 0.1, 0.25  # gap of the lids over the eye's width: its iris counts not at all; wholly
LEAST_WEIGHT = 0.3  # of the eye that is open more; below it, lashes are most of what is dark


def gaze(picture: Picture, landmarks: Landmarks) -> Floats:
    """Return where the irises of a face lie, right and down, in widths of the eyes, float64 [2].

    picture: [H, W, 3]. landmarks: [68, 2], in its pixels. The mean of both eyes, of which one that
    is nearly shut counts less; NaN where both are.
    """
    grey = picture.astype(np.float64).mean(2)
    seen = [iris(grey, landmarks[eye]) for eye in (LEFT_EYE, RIGHT_EYE)]
    weights = np.array([weight for _, weight in seen])
    if weights.max() < LEAST_WEIGHT:
        return np.full(2, np.nan)
    where: Floats = weights @ np.array([place for place, _ in seen]) / weights.sum()
    return where


def iris(grey: Floats, eye: Landmarks) -> tuple[Floats, float]:
    """Return where an iris lies, right and down of the eye's middle, [2], and how much it counts.

    grey: [H, W]. eye: its landmarks [6, 2]. In widths of the eye; it counts 0 to 1.
    """
    nothing = np.zeros(2), 0.0
    left, right = eye[list(EYE_CORNERS)]
    width = max(float(np.linalg.norm(right - left)), SMALLEST_LENGTH)
    across = (right - left) / width
    axes = np.stack([across, [-across[1], across[0]]], 1)
    middle = (left + right) / 2
    local = (eye - middle) @ axes / width
    gap = local[list(LOWER_LID), 1].mean() - local[list(UPPER_LID), 1].mean()
    weight = float(np.clip((gap - SHUT) / (OPEN - SHUT), 0, 1))
    if weight == 0:
        return nothing
    x = np.linspace(-REACH_ACROSS, REACH_ACROSS, COLUMNS)
    y = np.linspace(-REACH_DOWN, REACH_DOWN, ROWS)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    shades = _sampled(grey, middle + width * points @ axes.T)
    corner, other = EYE_CORNERS
    lids = [np.interp(x, *local[[corner, *lid, other]].T) for lid in (UPPER_LID, LOWER_LID)]
    inside = (points[..., 1] > lids[0]) & (points[..., 1] < lids[1])
    if inside.sum() < FEWEST_POINTS:
        return nothing
    limit = np.quantile(shades[inside], DARK_SHARE)
    dark = np.where(inside, np.clip(limit - shades, 0, None), 0.0)
    if dark.sum() <= 0:
        return nothing
    place: Floats = np.tensordot(dark, points, axes=2) / dark.sum()
    return place, weight


def _sampled(grey: Floats, points: Floats) -> Floats:
    """Return the shades [...] of a picture [H, W] at points [..., 2], bilinearly."""
    height, width = grey.shape
    x, y = np.clip(points[..., 0] - 0.5, 0, width - 1), np.clip(points[..., 1] - 0.5, 0, height - 1)
    left = np.minimum(x.astype(int), width - 2)
    top = np.minimum(y.astype(int), height - 2)
    right_share, low_share = x - left, y - top
    upper = grey[top, left] * (1 - right_share) + grey[top, left + 1] * right_share
    lower = grey[top + 1, left] * (1 - right_share) + grey[top + 1, left + 1] * right_share
    result: Floats = upper * (1 - low_share) + lower * low_share
    return result
