"""Occlusion: which pixels of an aligned face show a hand or a thing in front of it.

A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) of 380,000 parameters, trained on generated
faces with hands and things drawn in front of them (`training/train_occlusion.py`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facecodec.face.mask import face_mask
from facecodec.face.networks import UNet, load_network
from facecodec.pixels import to_tensor

INPUT_SIZE = 128  # side in pixels of the squares that the network reads
WIDTHS = (16, 24, 40, 64, 96)  # channels of the feature maps, from half of that side down
WEIGHTS = "occlusion.safetensors"  # the file, in this package
LEAST_OCCLUSION = 0.5  # from this on a pixel counts as occluded, 0 to 1


class OcclusionNetwork(UNet):
    """Squares [N, 3, 128, 128] in [-1, 1] to logits of being occluded, [N, 1, 64, 64]."""

    def __init__(self) -> None:
        super().__init__(WIDTHS)
        self.out = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logits [N, 1, 64, 64] of pictures [N, 3, 128, 128] in [-1, 1]."""
        logits: Tensor = self.out(self.features(pictures))
        return logits


@cache
def network() -> OcclusionNetwork:
    """Return the network with the weights that ship with this package."""
    return load_network(OcclusionNetwork(), "facecodec.face", WEIGHTS)


def occlusion(square: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probability that each pixel of an aligned square is occluded, [S, S] of 0 to 1.

    `square` [S, S, 3], S a multiple of 128. Do not rely on what lies outside the inner face.
    """
    size = square.shape[0]
    picture = to_tensor(square[None])
    with torch.inference_mode():
        logits = network()(F.avg_pool2d(picture, size // INPUT_SIZE))
        enlarged = F.interpolate(logits.sigmoid(), size=(size, size), mode="bilinear")[0, 0]
    probabilities: NDArray[np.float32] = enlarged.numpy()
    return probabilities


def occluded_share(square: NDArray[np.uint8], points: NDArray[np.float64]) -> float:
    """Return the share of an aligned square's inner face that is occluded, 0 to 1.

    `square` [S, S, 3], S a multiple of 128; `points` [68, 2] are its landmarks in units of the
    square, 0 to 1.
    """
    size = square.shape[0]
    inside = face_mask(points * size, size)
    return float((occlusion(square)[inside] > LEAST_OCCLUSION).mean()) if inside.any() else 0.0
