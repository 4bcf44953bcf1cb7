"""How far a render is from the frame it should show: pictures at several scales, and the person."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from facecodec.fit.grain import grain
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target, multiscale_l1, shrink
from facecodec.generator.preview import LOOKS


class Comparison:
    """Compares renders with the targets of one fit, whose face embeddings are computed once."""

    def __init__(
        self, targets: Sequence[Target], likeness: Likeness | None, weight: float, texture: float
    ) -> None:
        """`weight` is that of the squared distance of embeddings; None compares pictures alone.

        `texture` is that of `multiscale_l1`.
        """
        self.targets, self.likeness, self.weight = targets, likeness, weight
        self.texture = texture
        self.embeddings = [self._embedding(target) for target in targets]

    def _embedding(self, target: Target) -> Tensor | None:
        if self.likeness is None or target.landmarks is None:
            return None
        return self.likeness.embed(target.picture[None], target.landmarks[None]).detach()

    def __call__(self, frame: int, shown: Tensor, like: bool = True) -> Tensor:
        """Return the loss of a render [1, 3, S, S] of one frame; `like`: embeddings count."""
        target, embedding = self.targets[frame], self.embeddings[frame]
        size = shown.shape[-1]
        loss = multiscale_l1(
            shown,
            shrink(target.picture[None], size),
            shrink(target.weights[None], size),
            self.texture,
        )
        if like and self.likeness and embedding is not None and target.landmarks is not None:
            away = self.likeness.embed(shown, target.landmarks[None]) - embedding
            loss = loss + self.weight * away.square().sum()
        return loss

    def in_full(self, frame: int, full: Tensor | None) -> Tensor | float:
        """Return the loss of a full render [1, 3, R, R] that small pictures of it do not show.

        0 for None: of all looks at a frame, one in `LOOKS` is at a full render, and counts for all.
        """
        return 0.0 if full is None else LOOKS * grain(full, self.targets[frame])
