"""A face read in a view: the predictor's landmarks in boxes, by dlib or, sooner, by `Cascade`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlib
import numpy as np

from facecodec.face.alignment import Alignment
from facecodec.face.cascade import Cascade
from facecodec.types import Floats, Landmarks, Picture

VIEW_SIZE = 224  # side in pixels of the view, the upright square in which a face is read
# Readings depend a little on the box they start in, so every box is tried in several places:
# right and down, in half sides of the box, and scale. The last one suits an open jaw.
BOX_CHANGES = ((0, 0, 1), (0.08, 0, 1), (-0.08, 0, 1), (0, 0.08, 1), (0, -0.08, 1), (0, 0, 1.08),
               (0, 0.1, 1.1))  # fmt: skip
# The detector's box around landmarks, over their larger extent, and how much lower it lies.
BOX_SCALE, BOX_DROP = 1.02, 0.02

# Landmarks [N, 68, 2] of a frame [H, W, 3] in pixels of a view of it, of which pixel i spans i to
# i + 1, read in boxes [N, 4]: left, top, right and bottom, whole numbers the centres of pixels.
Read = Callable[[Picture, Alignment, Floats], Floats]


def chip_of(frame: Picture, view: Alignment) -> Picture:
    """Return what a square of the frame [H, W, 3] shows, [VIEW_SIZE, VIEW_SIZE, 3]."""
    half = 0.5 * view.size
    rect = dlib.drectangle(view.x - half, view.y - half, view.x + half, view.y + half)
    place = dlib.chip_details(rect, dlib.chip_dims(VIEW_SIZE, VIEW_SIZE), view.angle)
    return np.asarray(dlib.extract_image_chip(frame, place))


def by_dlib(predictor: Any) -> Read:
    """Return what reads with a predictor of dlib's: boxes and landmarks are in whole pixels."""

    def read(frame: Picture, view: Alignment, boxes: Floats) -> Floats:
        chip = chip_of(frame, view)
        places = [dlib.rectangle(*(round(edge) for edge in box)) for box in boxes.tolist()]
        shapes = [predictor(chip, place).parts() for place in places]
        return np.array([[(p.x + 0.5, p.y + 0.5) for p in parts] for parts in shapes])

    return read


def by_cascade(cascade: Cascade) -> Read:
    """Return what reads with a cascade, without rounding."""

    def read(frame: Picture, view: Alignment, boxes: Floats) -> Floats:
        points = cascade.read(cascade.chip(frame, view, VIEW_SIZE), boxes)
        return points.astype(np.float64) + 0.5

    return read


def shifted(edges: Floats) -> Floats:
    """Return a box [4] moved and scaled by each of `BOX_CHANGES`, [N, 4]."""
    middle, half = (edges[:2] + edges[2:]) / 2, (edges[2] - edges[0] + 1) / 2
    changes = np.array(BOX_CHANGES)
    centres, sides = middle + half * changes[:, :2], half * changes[:, 2:]
    return np.concatenate([centres - sides, centres + sides], 1)


def edges_around(points: Landmarks) -> Floats:
    """Return the box [4] that the detector would draw around landmarks [68, 2], not rounded."""
    low, high = points.min(0), points.max(0)
    half = 0.5 * max(high - low) * BOX_SCALE
    middle = (low + high) / 2 + (0, BOX_DROP * half)
    return np.concatenate([middle - half, middle + half])


def edges_of(box: dlib.rectangle) -> Floats:
    """Return the edges of a box, [4], around its centre as dlib has it, in whole pixels."""
    middle, reach = box.center(), np.array([box.width() - 1, box.height() - 1]) / 2
    centre = np.array([middle.x, middle.y], np.float64)
    return np.concatenate([centre - reach, centre + reach])


def box_of(points: Landmarks) -> dlib.rectangle:
    """Return the box the detector would draw around landmarks [68, 2]."""
    return dlib.rectangle(*(int(edge) for edge in edges_around(points)))
