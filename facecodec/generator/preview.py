"""Previews corrected by full renders.

The error of a preview changes little from one picture of a person to the next, so it is measured
once and subtracted: at 128 pixels 36 dB become 42 to 49.
"""

from __future__ import annotations

import torch
from torch import Tensor

import cuda_ops
from facecodec.checkpoint import State
from facecodec.generator.base import Generator

PREVIEWS_PER_FULL_RENDER = 5  # of a frame under a fit, the first of which is rendered in full


class PersonalPreview:
    """Previews of one person, corrected by their mean error, or by that in the last full render.

    Differentiable: styles [N, num_styles] to pictures [N, 3, size, size].
    """

    def __init__(self, generator: Generator, size: int, mean_error: Tensor) -> None:
        """`size` is one of the generator's `preview_sizes`; mean_error [3, size, size]."""
        self.generator, self.size = generator, size
        self.mean_error = mean_error
        self.error = mean_error

    @classmethod
    def measured(cls, generator: Generator, styles: Tensor, size: int) -> PersonalPreview:
        """Return previews of a person of whom `styles` [K, num_styles] are a dozen pictures or so.

        `size` is one of the generator's `preview_sizes`.
        """
        with torch.no_grad():
            previews = torch.cat([generator.preview(row[None], size) for row in styles])
            return cls(generator, size, (generator.shrunk(styles, size) - previews).mean(0))

    def draw(self, styles: Tensor) -> Tensor:
        """Return previews [N, 3, size, size] of styles [N, num_styles], not corrected."""
        return self.generator.preview(styles, self.size)

    def __call__(self, styles: Tensor) -> Tensor:
        """Return corrected previews [N, 3, size, size] of styles [N, num_styles]."""
        return self.draw(styles) + self.error

    def correct(self, styles: Tensor, preview: Tensor) -> Tensor:
        """Return styles [1, num_styles] rendered in full and shrunk, [1, 3, size, size].

        Later previews are corrected by how that differs from `preview` [1, 3, size, size], theirs.
        """
        full = self.generator.shrunk(styles, self.size)
        self.error = self.error + (full - preview)[0]
        return full

    def forget(self) -> None:
        """Return to the mean error, before a picture that is unlike the last one."""
        self.error = self.mean_error


class FramePreviews:
    """Previews of the frames of a fit, each corrected by a full render of it every few calls.

    A fit to uncorrected previews learns their errors, which the full picture does not have. One
    call in `PREVIEWS_PER_FULL_RENDER` measures them. In bf16 where the processor has it: gradients
    are then off by 0.8 %.
    """

    def __init__(self) -> None:
        self._errors: dict[tuple[int, int], Tensor] = {}  # by frame and size
        self._calls: dict[tuple[int, int], int] = {}

    def state(self) -> State:
        """Return what was measured, and what is due next."""
        return {"errors": self._errors, "calls": self._calls}

    def restore(self, state: State) -> None:
        """Take what `state` returned; arrays go where renders are made."""
        self._errors = {key: torch.from_numpy(error) for key, error in state["errors"].items()}
        self._calls = state["calls"]

    def __call__(self, generator: Generator, frame: int, styles: Tensor, size: int) -> Tensor:
        """Return a preview [1, 3, size, size] of a frame's styles [1, num_styles]."""
        key = frame, size
        calls = self._calls[key] = self._calls.get(key, -1) + 1
        with cuda_ops.roughly():
            preview = generator.preview(styles, size)
            if calls % PREVIEWS_PER_FULL_RENDER == 0:
                self._errors[key] = generator.shrunk(styles, size) - preview.detach()
            return preview + self._errors[key].to(preview.device)
