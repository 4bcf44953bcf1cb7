"""Previews corrected by full renders.

What a preview gets wrong about a person changes little from one picture of them to the next, and is
added as a constant picture: at 128 pixels 36 dB become 42 to 49.
"""

from __future__ import annotations

import torch
from torch import Tensor

import cuda_ops
from facecodec.generator.base import Generator

PREVIEWS_PER_FULL_RENDER = 5  # of a frame under a fit, the first of which is rendered in full


class PersonalPreview:
    """Previews of one person, corrected by what they lack in some of their pictures, or the last.

    Differentiable: [N, num_styles] -> [N, 3, size, size].
    """

    def __init__(self, generator: Generator, styles: Tensor, size: int) -> None:
        """`styles` [K, num_styles] are the person in K poses and expressions, a dozen or so.

        `size` is one of the generator's `preview_sizes`.
        """
        self.generator, self.size = generator, size
        with torch.no_grad():
            shown = torch.cat([generator.preview(row[None], size) for row in styles])
            self.usual = (generator.shrunk(styles, size) - shown).mean(0)
        self.missing = self.usual

    def __call__(self, styles: Tensor) -> Tensor:
        """Return corrected previews [N, 3, size, size] of styles [N, num_styles]."""
        return self.generator.preview(styles, self.size) + self.missing

    def correct(self, styles: Tensor, shown: Tensor) -> Tensor:
        """Render styles [1, num_styles] in full, [1, 3, size, size]; previews agree from now on.

        `shown` [1, 3, size, size] is their preview so far.
        """
        full = self.generator.shrunk(styles, self.size)
        self.missing = self.missing + (full - shown)[0]
        return full

    def forget(self) -> None:
        """Go back to what previews of the person usually lack: the next one is unlike the last."""
        self.missing = self.usual


class FramePreviews:
    """Previews of the frames under a fit, each corrected by a full render of it every few looks.

    A fit to previews as they are learns what these get wrong, and the full picture has it not.
    At size `finest` a look that asks for a full render sees that one, shrunk, with its own
    gradients: `full` [1, 3, resolution, resolution], None after a look that asked for none.
    In bf16 where the processor has it: gradients are then off by 0.8 %.
    """

    def __init__(self, finest: int) -> None:
        self.full: Tensor | None = None
        self.finest = finest
        self._kept: dict[tuple[int, int], Tensor] = {}
        self._looks: dict[tuple[int, int], int] = {}

    def __call__(self, generator: Generator, frame: int, styles: Tensor, size: int) -> Tensor:
        """Return a preview [1, 3, size, size] of a frame's styles [1, num_styles]."""
        key = frame, size
        looks = self._looks[key] = self._looks.get(key, -1) + 1
        self.full = None
        with cuda_ops.roughly():
            if looks % PREVIEWS_PER_FULL_RENDER:
                return generator.preview(styles, size) + self._kept[key]
            if size == self.finest:
                self.full = generator.synthesize(styles)
                seen = generator.resized(self.full, size)
                with torch.no_grad():
                    self._kept[key] = seen - generator.preview(styles, size)
                return seen
            shown = generator.preview(styles, size)
            self._kept[key] = generator.shrunk(styles, size) - shown.detach()
            return shown + self._kept[key]
