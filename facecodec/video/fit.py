"""One size for all frames of a clip, although calls and broadcasts change theirs half way."""

from __future__ import annotations

import numpy as np

from facecodec.types import Picture
from facecodec.video.colour import IN_MEANS, SMOOTHLY, scaled


def fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture [H, W, 3] scaled into `size` (width, height), with black bars around it."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    factor = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * factor)), max(1, round(height * factor))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    out = np.zeros((size[1], size[0], 3), np.uint8)
    out[top : top + inner[1], left : left + inner[0]] = scaled(
        picture, inner, IN_MEANS if factor < 1 else SMOOTHLY
    )
    return out
