"""Soft masks of the regions of a face in a picture."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facecodec.face.signals import eye_centres
from facecodec.rig.regions import OUTSIDE, REGION_LANDMARKS, WHOLE_PICTURE
from facecodec.types import Landmarks


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
