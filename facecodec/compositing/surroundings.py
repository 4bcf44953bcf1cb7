"""What is around a person, blurred: the frame they are in, or what a square shows of it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.compositing.filling import filled_levels
from facecodec.compositing.placing import Window, placed
from facecodec.face.alignment import Alignment, scaled
from facecodec.face.matte import INPUT_SIZE, matte
from facecodec.types import Picture

LONGEST_SIDE = 96  # pixels of a frame's longer side at which it is blurred
BLUR = 0.035  # of a frame's longer side, the spread of its blur
PERSON_MARGIN = 9  # pixels of the network's square by which a person is widened
SMALLEST_SHARE = 1e-3  # of a pixel, below which nothing is known of it
NOTHING_SEEN = 128  # grey level before the first square
FRAMES = 10.0  # over which surroundings are averaged: those that are drawn shimmer


def blurred(picture: Tensor, size: tuple[int, int], hidden: Tensor | None = None) -> Tensor:
    """Return a frame [3, h, w] without what is hidden [h, w], blurred, as large as `size` says.

    size: width and height; the result is [3, H, W].
    """
    if hidden is not None:
        picture = filled_levels(picture, hidden)
    height, width = picture.shape[-2:]
    spread = BLUR * max(height, width)
    reach = int(np.ceil(3 * spread))
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / spread) ** 2)
    taps /= taps.sum()
    wide = F.pad(picture[:, None], [reach] * 4, mode="replicate")
    blur = F.conv2d(F.conv2d(wide, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))[:, 0]
    return F.interpolate(blur[None], size[::-1], mode="bicubic", align_corners=False)[0]


class Surroundings:
    """Frames of what is around a person, blurred and without them, in order."""

    def __init__(self, size: tuple[int, int]) -> None:
        """`size`: the width and height of the frames."""
        self._size = size
        self._scale = min(LONGEST_SIDE / max(size), 1.0)
        width, height = (max(round(side * self._scale), 2) for side in size)
        self._small = width, height
        self._seen: Tensor | None = None  # colours times share, and share: [4, h, w]
        self._body: Tensor | None = None  # what of the frame is the person below the square: [h, w]

    def __call__(
        self, square: Picture, place: Alignment | None, shown: Picture | None = None
    ) -> Picture:
        """Return the frame [H, W, 3] behind a square [S, S, 3] at `place`.

        shown [H, W, 3]: the frame that the person is in, whose body stays sharp below the square.
        Without it, what the square shows around them is continued. It follows from this frame and
        those before.
        """
        if place is not None:
            seen = self._around(square, place, shown)
            share = 1.0 if self._seen is None else 1 / FRAMES
            self._seen = seen if self._seen is None else self._seen + share * (seen - self._seen)
        if self._seen is None:
            return np.full((self._size[1], self._size[0], 3), NOTHING_SEEN, np.uint8)
        known = self._seen[3].clamp(max=1)
        colours = self._seen[:3] / known.clamp_min(SMALLEST_SHARE)
        frame = blurred(colours, self._size, 1 - known)
        if shown is not None and self._body is not None:
            body = F.interpolate(self._body[None, None], self._size[::-1], mode="bilinear")[0]
            sharp = torch.from_numpy(shown.astype(np.float32)).permute(2, 0, 1)
            frame = frame + body * (sharp - frame)
        result: Picture = frame.permute(1, 2, 0).round_().clamp_(0, 255).byte().numpy()
        return result

    def _around(self, square: Picture, place: Alignment, shown: Picture | None) -> Tensor:
        """Return what is seen around the person, small: colours times share, and share."""
        small = small_levels(square, (INPUT_SIZE, INPUT_SIZE))
        wide = 2 * PERSON_MARGIN + 1
        exact = matte(small).person[None]
        person = F.max_pool2d(exact, wide, 1, PERSON_MARGIN)
        window = Window(0, 0, *self._small)
        here = scaled(place, self._scale)
        laid, inside = placed(torch.cat([small, person, exact]), here, window)
        if shown is None:
            share = (1 - laid[3:4]) * inside
            return torch.cat([laid[:3] * share, share])
        self._body = below_square(laid[4] * inside, inside)
        share = 1 - laid[3:4] * inside
        return torch.cat([small_levels(shown, self._small) * share, share])


def below_square(person: Tensor, inside: Tensor) -> Tensor:
    """Return where a person goes on below the square that shows them, [h, w] of 0 to 1.

    person [h, w]: where the square shows them; inside [h, w]: 1 where the square is. A body grows
    wider downwards, by a pixel to each side in every row.
    """
    rows = torch.zeros_like(person)
    above = torch.zeros(person.shape[1])
    for i, (row, known) in enumerate(zip(person, inside, strict=True)):
        wide = F.max_pool1d(above[None, None], 3, 1, 1)[0, 0]
        rows[i] = above = torch.where(known > 0, row, wide)
    return F.avg_pool2d(rows[None], 3, 1, 1, count_include_pad=False)[0]


def small_levels(picture: Picture, size: tuple[int, int]) -> Tensor:
    """Return a picture [H, W, 3] as grey levels [3, h, w] of `size`, width and height."""
    levels = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    return F.interpolate(levels, size[::-1], mode="bilinear", antialias=True)[0]
