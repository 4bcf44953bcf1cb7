"""Regions: the parts of a face that controls act on, and soft masks of them."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from facecodec.face.layout import BROWS, EYES, MOUTH, NUM_LANDMARKS
from facecodec.face.signals import eye_centres
from facecodec.types import Landmarks


class Region(StrEnum):
    """What a control moves: a part of the face, the head's pose, or the whole expression."""

    MOUTH = "mouth"
    JAW = "jaw"
    EYES = "eyes"
    GAZE = "gaze"
    BROWS = "brows"
    POSE = "pose"
    EXPRESSION = "expression"


OUTSIDE = "outside"  # the mask of what is in no region
WHOLE_PICTURE = "all"  # the mask of everything
CHIN_AND_JAW = slice(5, 12)  # landmarks of the jaw line without its upper ends
PUPILS = slice(NUM_LANDMARKS, NUM_LANDMARKS + 2)  # the eye centres, which follow the landmarks

# region -> (landmarks, standard deviation of the Gaussian around each in eye distances)
REGION_LANDMARKS: dict[Region, tuple[slice, float]] = {
    Region.MOUTH: (MOUTH, 0.12),
    Region.JAW: (CHIN_AND_JAW, 0.22),
    Region.EYES: (EYES, 0.10),
    Region.GAZE: (PUPILS, 0.07),
    Region.BROWS: (BROWS, 0.12),
}
# How many channels a rig has for each region; whole expressions are its other offsets.
QUOTAS: dict[Region, int] = {
    Region.MOUTH: 9,
    Region.JAW: 4,
    Region.EYES: 5,
    Region.BROWS: 4,
    Region.GAZE: 2,
}


def region_masks(landmarks: Landmarks, size: int) -> dict[str, Tensor]:
    """Return a mask [size, size] of 0 to 1 for each region, for `OUTSIDE` and `WHOLE_PICTURE`.

    `landmarks` [68, 2] are pixels of a picture of that size.
    """
    pupils = np.stack(eye_centres(landmarks))
    eye_distance = float(np.linalg.norm(pupils[1] - pupils[0]))
    points = torch.tensor(np.concatenate([landmarks, pupils]), dtype=torch.float32)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    grid = torch.stack([columns, rows], -1).float()
    masks: dict[str, Tensor] = {}
    for name, (part, radius) in REGION_LANDMARKS.items():
        squared = (grid[:, :, None] - points[part]).square().sum(-1).amin(-1)
        masks[name] = torch.exp(-squared / (2 * (radius * eye_distance) ** 2))
    masks[OUTSIDE] = 1 - torch.stack(list(masks.values())).amax(0)
    masks[WHOLE_PICTURE] = torch.ones(size, size)
    return masks
