"""The loss of a fit: how far a render is from the frame it should show, and from the person."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from facecodec.fit.grain import grain
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target, multiscale_l1, shrink
from facecodec.generator.preview import PREVIEWS_PER_FULL_RENDER


class Comparison:
    """Compares renders with the targets of one fit, whose face embeddings are computed once."""

    def __init__(
        self,
        targets: Sequence[Target],
        likeness: Likeness | None,
        likeness_weight: float,
        texture_weight: float,
    ) -> None:
        """`likeness_weight` multiplies the squared distance of two face embeddings [128].

        Without `likeness` pictures alone are compared. `texture_weight` is that of `multiscale_l1`.
        """
        self.targets, self.likeness = targets, likeness
        self.likeness_weight, self.texture_weight = likeness_weight, texture_weight
        self.embeddings = [self._embedding(target) for target in targets]

    def _embedding(self, target: Target) -> Tensor | None:
        """Return the embedding [1, 128] of a target's face, None where it has no landmarks."""
        if self.likeness is None or target.landmarks is None:
            return None
        return self.likeness.embed(target.picture[None], target.landmarks[None]).detach()

    def __call__(self, frame: int, render: Tensor, use_embedding: bool = True) -> Tensor:
        """Return the loss of a render [1, 3, S, S] of target `frame`, a scalar [].

        S divides the side of the target's picture. `use_embedding` adds the distance of faces.
        """
        target, embedding = self.targets[frame], self.embeddings[frame]
        size = render.shape[-1]
        loss = multiscale_l1(
            render,
            shrink(target.picture[None], size),
            shrink(target.weights[None], size),
            self.texture_weight,
        )
        if not use_embedding or self.likeness is None:
            return loss
        if embedding is not None and target.landmarks is not None:
            difference = self.likeness.embed(render, target.landmarks[None]) - embedding
            loss = loss + self.likeness_weight * difference.square().sum()
        return loss

    def grain_loss(self, frame: int, full_render: Tensor | None) -> Tensor | float:
        """Return the loss [] of detail that only the full render [1, 3, R, R] of a frame shows.

        0 for None. One preview in `PREVIEWS_PER_FULL_RENDER` is a full render, and its loss stands
        for those of the others.
        """
        if full_render is None:
            return 0.0
        return PREVIEWS_PER_FULL_RENDER * grain(full_render, self.targets[frame])
