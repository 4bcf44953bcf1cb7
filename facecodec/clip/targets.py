"""A frame of a clip as a target: what a fit is to explain, and how much each pixel counts."""

from __future__ import annotations

import torch
import torch.nn.functional as F

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
    square: Picture, landmarks: Landmarks | None, occluded: bool, device: torch.device
) -> Target:
    """Return an aligned square, uint8 [S, S, 3], as something to be explained.

    landmarks [68, 2] are those in it, 0 to 1, None where no face was read. occluded: pixels that
    something before the face hides do not count. Weights are made at 256 pixels at most, and
    enlarged for a larger square, whose side is a multiple.
    """
    picture = to_tensor(square[None])
    small = square
    if len(square) > SQUARE_PIXELS:
        small = to_uint8(shrink(picture, SQUARE_PIXELS))[0]
    weights = weight_map(landmarks, len(small))
    if occluded and landmarks is not None:
        weights = weights * visible(small, landmarks)
    if len(small) < len(square):
        weights = F.interpolate(weights[None], size=square.shape[:2], mode="bilinear")[0]
    return Target(picture[0].to(device), weights.to(device), landmarks)
