"""A person drawn in less time than a picture takes, where frames come too fast for whole ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

import cuda_ops
from facecodec.avatar.avatar import Avatar
from facecodec.fit.objective import shrink
from facecodec.pixels import to_tensor
from facecodec.types import Controls, Picture

MOST_PIXELS = 256  # side at which a sketch is drawn at most


class Sketches:
    """Draws an avatar by previews, whose last blocks run at a lower resolution, and enlarges them.

    The error of a preview changes little from frame to frame: it is measured on a whole picture,
    and taken off. That is 44 dB beside the shrunk whole picture, in some 0.6 of its time.
    """

    def __init__(self, avatar: Avatar, size: int) -> None:
        """size: side of the pictures in pixels."""
        self.avatar, self._size = avatar, size
        sides = [side for side in avatar.generator.preview_sizes if side <= min(size, MOST_PIXELS)]
        self._side = max(sides, default=None)
        self._whole: tuple[Controls, Picture] | None = None  # whose error is to be measured
        self._error: Tensor | None = None  # [1, 3, S, S]

    @property
    def ready(self) -> bool:
        """Whether there are previews, and a whole picture has been seen."""
        return self._side is not None and (self._whole is not None or self._error is not None)

    def note(self, controls: Controls, picture: Picture) -> None:
        """Remember the controls [K] of a whole picture [size, size, 3]."""
        self._whole, self._error = (controls, picture), None

    def draw(self, controls: Controls) -> Picture:
        """Return a picture [size, size, 3] of controls [K], once `ready`."""
        assert self._side is not None
        with torch.inference_mode(), cuda_ops.roughly():
            if self._error is None:
                assert self._whole is not None
                whole = shrink(to_tensor(self._whole[1][None]), self._side)
                self._error = whole.to(self._device) - self._preview(self._whole[0])
            sketch = self._preview(controls) + self._error
            if self._side < self._size:
                sketch = F.interpolate(sketch, size=(self._size, self._size), mode="bilinear")
            picture: Picture = cuda_ops.rgb8(sketch)[0].cpu().numpy()
        return picture

    @property
    def _device(self) -> torch.device:
        return self.avatar.model.device

    def _preview(self, controls: Controls) -> Tensor:
        """Return the preview [1, 3, S, S] of controls [K]."""
        assert self._side is not None
        row = torch.from_numpy(controls).to(self._device, torch.float32)
        styles = self.avatar.styles + row @ self.avatar.basis
        return self.avatar.generator.preview(styles[None], self._side)
