"""A person drawn in less time than a picture takes, where frames come too fast for whole ones."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import cuda_ops
from facecodec.avatar.avatar import Avatar
from facecodec.fit.objective import shrink
from facecodec.pixels import to_tensor
from facecodec.types import Controls, Picture

SIDES = (256, 128)  # at which sketches are drawn: the sharper, and the quicker


class Sketches:
    """Draws an avatar by previews, whose last blocks run at a lower resolution, and enlarges them.

    The error of a preview changes little from frame to frame: it is measured on a whole picture,
    and taken off. At 256 pixels that is 44 dB beside the shrunk whole picture, in some 0.6 of its
    time; at 128 it takes 0.4 of it.
    """

    def __init__(self, avatar: Avatar, size: int) -> None:
        """size: side of the pictures in pixels."""
        self.avatar, self._size = avatar, size
        known = avatar.generator.preview_sizes
        self.sides = tuple(side for side in SIDES if side in known and side <= size)
        self._whole: tuple[Controls, Picture] | None = None  # whose error is to be measured
        self._errors: dict[int, Tensor] = {}  # [1, 3, S, S], by side

    @property
    def ready(self) -> bool:
        """Whether there are previews, and a whole picture has been seen."""
        return bool(self.sides) and self._whole is not None

    def note(self, controls: Controls, picture: Picture) -> None:
        """Remember the controls [K] of a whole picture [size, size, 3]."""
        self._whole = controls, picture
        self._errors.clear()

    def side(self, level: int) -> int:
        """Return the side in pixels of sketches of a level, 1 or more, once `ready`."""
        return self.sides[min(level, len(self.sides)) - 1]

    def draw(self, controls: Controls, level: int = 1) -> Picture:
        """Return a picture [size, size, 3] of controls [K], once `ready`.

        level: 1 for the sharper sketch, more for a quicker one, where there is one.
        """
        side = self.side(level)
        with torch.inference_mode(), cuda_ops.roughly():
            if side not in self._errors:
                assert self._whole is not None
                whole = shrink(to_tensor(self._whole[1][None]), side)
                self._errors[side] = whole.to(self._device) - self._preview(self._whole[0], side)
            sketch = cuda_ops.rgb8(self._preview(controls, side) + self._errors[side])
            if side < self._size:  # bytes are enlarged in a sixth of the time of floats
                size = (self._size, self._size)
                planes = F.interpolate(sketch.permute(0, 3, 1, 2), size=size, mode="bilinear")
                sketch = planes.permute(0, 2, 3, 1)
            picture: Picture = np.ascontiguousarray(sketch[0].cpu().numpy())
        return picture

    @property
    def _device(self) -> torch.device:
        return self.avatar.model.device

    def _preview(self, controls: Controls, side: int) -> Tensor:
        """Return the preview [1, 3, side, side] of controls [K]."""
        row = torch.from_numpy(controls).to(self._device, torch.float32)
        styles = self.avatar.styles + row @ self.avatar.basis
        return self.avatar.generator.preview(styles[None], side)
