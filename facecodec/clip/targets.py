"""A frame of a clip as a target: what a fit is to explain, and how much each pixel counts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.clip.occlusion import visible
from facecodec.clip.scan import SQUARE_PIXELS, Scan
from facecodec.fit.objective import Target, shrink, weight_map
from facecodec.pixels import to_tensor, to_uint8
from facecodec.types import Landmarks, Picture


def make_target(scan: Scan, frame: int, square: Picture, device: torch.device) -> Target:
    """Return a frame's aligned square, uint8 [S, S, 3], as something to be explained."""
    landmarks = scan.landmarks[frame] if scan.seen[frame] else None
    return square_target(square, landmarks, bool(scan.occluded[frame]), device)


def square_target(
    square: Picture,
    landmarks: Landmarks | None,
    occluded: bool,
    device: torch.device,
    weights_size: int = SQUARE_PIXELS,
) -> Target:
    """Return an aligned square, uint8 [S, S, 3], as something to be explained.

    landmarks [68, 2] are those in it, 0 to 1, None where no face was read. occluded: pixels that
    something before the face hides do not count. Weights are made at `weights_size` pixels at most
    and enlarged for a larger square, whose side is a multiple; what is hidden is looked for at 256
    at most.
    """
    picture = to_tensor(square[None])
    small = square
    if len(square) > SQUARE_PIXELS:
        small = to_uint8(shrink(picture, SQUARE_PIXELS))[0]
    weights = weight_map(landmarks, min(len(small), weights_size))
    weights = _enlarged(weights, len(small))
    if occluded and landmarks is not None:
        weights = weights * visible(small, landmarks)
    weights = _enlarged(weights, len(square))
    return Target(picture[0].to(device), weights.to(device), landmarks)


def _enlarged(weights: Tensor, size: int) -> Tensor:
    """Return weights [1, S, S] as [1, size, size]."""
    if weights.shape[-1] == size:
        return weights
    return F.interpolate(weights[None], size=(size, size), mode="bilinear")[0]
