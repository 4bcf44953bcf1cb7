"""Render: an identity latent and controls to pictures."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cuda_ops
from facecodec.avatar.response import response_of
from facecodec.errors import UsageError
from facecodec.fit.objective import shrink
from facecodec.generator.base import Generator
from facecodec.rig.rig import Rig


class Renderer:
    """Renders one person; what depends on the identity latent alone is computed once."""

    def __init__(
        self,
        generator: Generator,
        rig: Rig,
        w_plus: NDArray[np.float32],
        size: int | None = None,
        tuning: bytes | None = None,
    ) -> None:
        """`w_plus` [num_ws, 512]; `size`: a side of the pictures, the generator's when None.

        `tuning`: the bytes a stream or `.fci` file carries. Raises UsageError for a size that is
        not the resolution over a power of two, StreamError for a tuning of another generator.
        """
        self.size = size or generator.resolution
        factor = generator.resolution // max(self.size, 1)
        if factor * self.size != generator.resolution or factor & (factor - 1):
            sizes = [generator.resolution >> i for i in range(3)]
            raise UsageError(f"--size {self.size}: {generator.name} renders {sizes}")
        self.generator, response = response_of(generator, rig, w_plus, tuning)
        self.basis, self.styles = response.basis, response.styles[None]
        self._render = cuda_ops.Graphed(self._pixels)

    def small(self, controls: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
        """Render controls [N, 35] to uint8 RGB [N, size, size, 3] by the cheap preview.

        For thumbnails: drawn at twice the size or more and shrunk, or at full size where the
        generator has no such preview.
        """
        with torch.inference_mode():
            moved = torch.from_numpy(controls).to(self.basis.device) @ self.basis
            most = self.generator.resolution
            larger = [n for n in self.generator.preview_sizes if 2 * size <= n <= most]
            if larger:
                pictures = self.generator.preview(self.styles + moved, min(larger))
            else:
                pictures = self.generator.synthesize(self.styles + moved)
            shown: NDArray[np.uint8] = cuda_ops.rgb8(shrink(pictures, size)).cpu().numpy()
            return shown

    def __call__(self, controls: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Render controls [N, 35] to uint8 RGB [N, size, size, 3]."""
        with torch.inference_mode():
            moved = torch.from_numpy(controls).to(self.basis.device)
            pixels: NDArray[np.uint8] = self._render(moved).cpu().numpy()
            return pixels

    def _pixels(self, controls: Tensor) -> Tensor:
        styles = self.styles + controls @ self.basis
        if self.size == self.generator.resolution:
            return self.generator.synthesize_rgb8(styles)
        return cuda_ops.rgb8(shrink(self.generator.synthesize(styles), self.size))
