"""Cut the aligned square out of a frame, and put one back."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.face.alignment import Alignment, scaled
from facecodec.types import Picture

FADED_EDGE = 0.08  # share of the square over which a pasted face fades into the frame
SMALLEST_HALVED = 4  # pixels: a picture with a shorter side is not halved


def crop(frame: Picture, alignment: Alignment, size: int) -> Picture:
    """Return the aligned square of a frame [H, W, 3] as [size, size, 3].

    Shrinking averages (the frame is halved until less than two pixels fall on one); what lies
    outside the frame is mirrored.
    """
    picture = _to_tensor(frame)
    while alignment.size / size >= 2 and min(picture.shape[-2:]) >= SMALLEST_HALVED:
        picture = F.avg_pool2d(picture, 2)
        alignment = scaled(alignment, 0.5)
    height, width = picture.shape[-2:]
    matrix = torch.tensor(alignment.corner_matrix(), dtype=torch.float32)
    axis = (torch.arange(size) + 0.5) / size
    points = matrix[:, 0] * axis[None, :, None] + matrix[:, 1] * axis[:, None, None] + matrix[:, 2]
    grid = points / torch.tensor([width, height]) * 2 - 1
    sampled = F.grid_sample(picture, grid[None], padding_mode="reflection", align_corners=False)
    return _to_picture(sampled)


def paste(frame: Picture, face: Picture, alignment: Alignment) -> Picture:
    """Return the frame [H, W, 3] with a square face [S, S, 3] laid over it, faded at its edge."""
    height, width = frame.shape[:2]
    picture = _to_tensor(face)
    while picture.shape[-1] / alignment.size >= 2:
        picture = F.avg_pool2d(picture, 2)
    matrix = alignment.corner_matrix()
    inverse = torch.tensor(np.linalg.inv(matrix[:, :2]), dtype=torch.float32)
    origin = torch.tensor(matrix[:, 2], dtype=torch.float32)
    columns, rows = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) - origin
    unit = points @ inverse.T
    sampled = F.grid_sample(
        picture, (unit * 2 - 1)[None], padding_mode="border", align_corners=False
    )
    inside = torch.minimum(unit, 1 - unit).amin(-1).div(FADED_EDGE).clamp(0, 1)
    blend = inside * inside * (3 - 2 * inside)  # smoothstep: no visible line where the fade begins
    under = _to_tensor(frame)
    return _to_picture(under + (sampled - under) * blend)


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture [H, W, 3] scaled to `size` (width, height), with antialiasing."""
    if picture.shape[1::-1] == size:
        return picture
    return _to_picture(
        F.interpolate(
            _to_tensor(picture), size[::-1], mode="bilinear", antialias=True, align_corners=False
        )
    )


def _to_tensor(picture: Picture) -> Tensor:
    """Return a picture [H, W, 3] as float32 grey levels [1, 3, H, W], 0 to 255."""
    levels = np.require(
        picture, requirements=("C", "W")
    )  # torch shares no memory that is read-only
    return torch.from_numpy(levels).permute(2, 0, 1)[None].float()


def _to_picture(tensor: Tensor) -> Picture:
    """Return grey levels [1, 3, H, W], 0 to 255, as a picture [H, W, 3], rounded and clamped."""
    levels: Picture = tensor[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
    return levels
