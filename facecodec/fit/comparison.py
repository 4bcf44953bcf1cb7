"""The loss of a fit: how far a render is from the frame it should show, and from the person."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.face.mask import face_mask
from facecodec.fit.detail import COARSEST_PIXELS, DetailWeights, Known, colour_loss, detail_loss
from facecodec.fit.grain import Finest, finest_of, grain
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Octave, Target, multiscale_l1, octaves, shrink

# Side in pixels of the pictures in which a face is embedded: its chip of 150 is sampled from them,
# not averaged.
EMBEDDED_SIZE = 256
OUTER_COLOUR = 0.05  # weight of colours outside the inner face, beside 1 inside


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
        self.skin = [_skin(target) for target in targets]
        self._known: list[Known] = [{} for _ in targets]  # of `detail_loss`
        self._octaves: dict[tuple[int, int], list[Octave]] = {}  # of previews, by frame and size
        self._finest: dict[int, Finest] = {}

    def _embedding(self, target: Target) -> Tensor | None:
        """Return the embedding [1, 128] of a target's face, None where it has no landmarks."""
        if self.likeness is None or target.landmarks is None:
            return None
        picture = _at_most(target.picture[None], EMBEDDED_SIZE)
        return self.likeness.embed(picture, target.landmarks[None]).detach()

    def __call__(self, frame: int, render: Tensor, use_embedding: bool = True) -> Tensor:
        """Return the loss of a render [1, 3, S, S] of target `frame`, a scalar [].

        S divides the side of the target's picture. `use_embedding` adds the distance of faces.
        """
        size = render.shape[-1]
        if (frame, size) not in self._octaves:
            target = self.targets[frame]
            pictures, weights = shrink(target.picture[None], size), target.weights[None]
            self._octaves[frame, size] = octaves(pictures, shrink(weights, size))
        loss = multiscale_l1(render, self._octaves[frame, size], self.texture_weight)
        return loss + self._embedding_loss(frame, render) if use_embedding else loss

    def full_loss(self, frame: int, full_render: Tensor, how: DetailWeights) -> Tensor:
        """Return the loss of a full render [1, 3, R, R] at the target's own size, a scalar [].

        Finer detail than the target shows counts as grain. `how`: what weighs how much.
        """
        target = self.targets[frame]
        render = _resized(full_render, target.picture.shape[-1])
        known = self._known[frame]
        loss = detail_loss(render, target.picture[None], target.weights[None], how, known)
        loss = loss + how.colour * colour_loss(render, target.picture[None], self.skin[frame])
        if frame not in self._finest:
            self._finest[frame] = finest_of(target)
        loss = loss + how.grain * grain(full_render, target, self._finest[frame])
        return loss + self._embedding_loss(frame, render)

    def _embedding_loss(self, frame: int, render: Tensor) -> Tensor:
        """Return the weighted squared distance [] of a render's face from its target's."""
        target, embedding = self.targets[frame], self.embeddings[frame]
        if self.likeness is None or embedding is None or target.landmarks is None:
            return render.new_zeros(())
        picture = _at_most(render, EMBEDDED_SIZE)
        difference = self.likeness.embed(picture, target.landmarks[None]) - embedding
        return self.likeness_weight * difference.square().sum()


def _skin(target: Target) -> Tensor:
    """Return how much the colour of a target counts, [1, 1, COARSEST_PIXELS, COARSEST_PIXELS].

    Little outside the inner face, nothing where something hides it.
    """
    size = COARSEST_PIXELS
    if target.landmarks is None:
        return torch.ones(1, 1, size, size).to(target.weights)
    inside = torch.from_numpy(face_mask(target.landmarks * size, size)[None, None])
    seen = shrink(target.weights[None], size) > 0
    return (inside.to(target.weights) + OUTER_COLOUR) * seen


def _at_most(picture: Tensor, size: int) -> Tensor:
    """Return a picture [1, 3, S, S] averaged down to `size` pixels where it is larger."""
    return shrink(picture, size) if picture.shape[-1] > size else picture


def _resized(picture: Tensor, size: int) -> Tensor:
    """Return a picture [1, 3, S, S] at `size` pixels: averaged, or enlarged where S is smaller."""
    if picture.shape[-1] >= size:
        return shrink(picture, size)
    return F.interpolate(picture, size=(size, size), mode="bilinear")
