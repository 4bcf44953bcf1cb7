"""Where on the face a control acts: soft masks around landmarks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.signals import eye_centres

# region -> (landmarks whose neighbourhood it is, radius over the distance of the eyes)
REGIONS: dict[str, tuple[tuple[int, ...], float]] = {
    "mouth": (tuple(range(48, 68)), 0.12),
    "jaw": (tuple(range(5, 12)), 0.22),
    "eyes": (tuple(range(36, 48)), 0.10),
    "gaze": ((-1, -2), 0.07),
    "brows": (tuple(range(17, 27)), 0.12),
}
# channels of a rig; whole expressions are its other controls
QUOTAS = {"mouth": 9, "jaw": 4, "eyes": 5, "brows": 4, "gaze": 2}


def region_masks(landmarks: NDArray[np.float64], size: int) -> dict[str, Tensor]:
    """Return a mask [size, size] in 0..1 for each region, and `outside` and `all`.

    `landmarks` [68, 2] are pixels of a picture of that size; -1 and -2 stand for the pupils.
    """
    pupils = np.stack(eye_centres(landmarks))
    eye_distance = float(np.linalg.norm(pupils[1] - pupils[0]))
    points = torch.tensor(np.concatenate([landmarks, pupils[::-1]]), dtype=torch.float32)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    grid = torch.stack([columns, rows], -1).float()
    masks = {}
    for name, (indices, radius) in REGIONS.items():
        squared = (grid[:, :, None] - points[list(indices)]).square().sum(-1).amin(-1)
        masks[name] = torch.exp(-squared / (2 * (radius * eye_distance) ** 2))
    masks["outside"] = 1 - torch.stack(list(masks.values())).amax(0)
    masks["all"] = torch.ones(size, size)
    return masks
