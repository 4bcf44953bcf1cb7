"""A frame of a clip as a target: what a fit is to explain, and how much each pixel counts."""

from __future__ import annotations

import torch

from facecodec.clip.occlusion import visible
from facecodec.clip.scan import Scan
from facecodec.fit.objective import Target, weight_map
from facecodec.pixels import to_tensor
from facecodec.types import Picture


def make_target(scan: Scan, frame: int, square: Picture, device: torch.device) -> Target:
    """Return a frame's aligned square, uint8 [S, S, 3], as something to be explained.

    Pixels that something before the face hides do not count.
    """
    landmarks = scan.landmarks[frame] if scan.seen[frame] else None
    weights = weight_map(landmarks, square.shape[0])
    if scan.occluded[frame]:
        weights = weights * visible(square, scan.landmarks[frame])
    return Target(to_tensor(square[None])[0].to(device), weights.to(device), landmarks)
