"""Lays decoded squares into frames, one after another."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.compositing.alpha import Alpha, head_alpha
from facecodec.compositing.placing import Window, placed
from facecodec.face.alignment import Alignment
from facecodec.types import Picture

SMALLEST_SQUARE_PIXELS = 2  # pixels of a side of a square that is laid into a frame


class Compositor:
    """Lays the squares of one video into its frames, in order.

        compositor = Compositor()
        picture = compositor.lay(frame, square, place)

    What it does in one frame may follow from those before it; after a jump, begin another one.
    """

    def lay(
        self, frame: Picture, square: Picture, place: Alignment, alpha: Alpha | None = None
    ) -> Picture:
        """Return a frame [H, W, 3] with a decoded square [S, S, 3] laid over it at `place`.

        alpha: how much each pixel of the square covers, float32 [S, S] of 0 to 1; the head when
        None. A square outside the frame, or smaller than two pixels, leaves the frame as it is.
        """
        window = Window.of(place, (frame.shape[1], frame.shape[0]))
        if window.empty or place.size < SMALLEST_SQUARE_PIXELS:
            return frame
        alpha = head_alpha(square) if alpha is None else alpha
        layers = np.concatenate([square.astype(np.float32), alpha[..., None]], axis=2)
        laid, inside = placed(torch.from_numpy(layers).permute(2, 0, 1), place, window)
        part = np.s_[window.top : window.bottom, window.left : window.right]
        under = torch.from_numpy(frame[part].astype(np.float32)).permute(2, 0, 1)
        mixed = under + (laid[:3] - under) * (laid[3] * inside)
        result = frame.copy()
        result[part] = mixed.permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
        return result


def coverage(alpha: Alpha, place: Alignment, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how much of each pixel of a frame a square covers, float32 [H, W] of 0 to 1.

    alpha [S, S]: of the square at `place`. size: the frame's width and height.
    """
    covered = np.zeros((size[1], size[0]), np.float32)
    window = Window.of(place, size)
    if not window.empty and place.size >= SMALLEST_SQUARE_PIXELS:
        laid, inside = placed(
            torch.from_numpy(np.require(alpha, requirements="W"))[None], place, window
        )
        part = np.s_[window.top : window.bottom, window.left : window.right]
        covered[part] = (laid[0] * inside).numpy()
    return covered
