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
SHUT = 0.14  # gap of the lids over the eye's width, below which lashes are most of what is dark


def gaze(picture: Picture, landmarks: Landmarks) -> Floats:
    """Return where the irises of both eyes lie, right and down, in their widths, float64 [2, 2].

    picture: [H, W, 3]. landmarks: [68, 2], in its pixels. NaN for an eye that is nearly shut.
    """
    grey = picture.astype(np.float64).mean(2)
    return np.array([iris(grey, landmarks[eye]) for eye in (LEFT_EYE, RIGHT_EYE)])


def moved_together(moved: Floats) -> Floats:
    """Return how far a gaze has moved, [..., 2], where its irises have moved by [..., 2, 2].

    Eyes move together: what one alone seems to do is a lid, a rim of glasses or noise. So the less
    of both counts, and nothing where they go apart; one alone where the other is shut.
    """
    left, right = moved[..., 0, :], moved[..., 1, :]
    less = np.where(np.abs(left) < np.abs(right), left, right)
    both: Floats = np.where(left * right > 0, less, 0.0)
    alone = np.where(np.isfinite(left), left, right)
    result: Floats = np.where(np.isfinite(left * right), both, alone)
    return result


def iris(grey: Floats, eye: Landmarks) -> Floats:
    """Return where an iris lies, right and down of the eye's middle, in its widths, [2].

    grey: [H, W]. eye: its landmarks [6, 2]. NaN where it is nearly shut.
    """
    nothing = np.full(2, np.nan)
    left, right = eye[list(EYE_CORNERS)]
    width = max(float(np.linalg.norm(right - left)), SMALLEST_LENGTH)
    across = (right - left) / width
    axes = np.stack([across, [-across[1], across[0]]], 1)
    middle = (left + right) / 2
    local = (eye - middle) @ axes / width
    gap = local[list(LOWER_LID), 1].mean() - local[list(UPPER_LID), 1].mean()
    if gap < SHUT:
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
    return place


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
