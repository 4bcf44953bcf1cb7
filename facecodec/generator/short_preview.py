"""Short previews: pictures of one person from the middle of the network.

The first half of the layers says nearly all that a small picture shows, and what the rest makes of
it differs little from one picture of a person to the next. So a linear map from features in the
middle to pixels, fitted to some full renders of the person, draws them in half the time of a
preview, at 34 to 38 dB. It is of no use for another person, or once theirs changes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.generator.preview import PersonalPreview

RIDGE = 1e-4  # of the mean square of a feature's change
SMALLEST_RIDGE = 1e-6  # so that one render alone has a map, which is 0
LEAST_SHARE = 0.05  # of the mean weight, that is added to every pixel's in the fit
FITTED_STRIDE = 2  # rows and columns of features from one that the fit looks at to the next


class ShortPreview(PersonalPreview):
    """Pictures of one person, drawn from the middle of the network.

    weight [3, C] or [12, C]: the linear map, see `Generator.drawn_from_middle`.
    """

    def __init__(self, generator: Generator, size: int, weight: Tensor, mean_error: Tensor) -> None:
        """`weight` and `mean_error` [3, size, size] are those that `fitted` found."""
        self.weight = weight
        super().__init__(generator, size, mean_error)

    @classmethod
    def fitted(
        cls, generator: Generator, styles: Tensor, size: int, weights: Tensor | None = None
    ) -> ShortPreview:
        """Return short previews of a person at `styles` [K, num_styles], of which the first rests.

        K is some dozens. `size` is one that `can_draw` knows. `weights` [size, size]: how much each
        pixel counts; None: all alike. By ridge regression of how pictures differ from the first on
        how features do.
        """
        _, side = _middle(generator)
        with torch.no_grad():
            scale = _scale(weights, side)
            sums: list[Tensor] = []
            first: list[Tensor] = []
            for row in styles:
                full = _bands(generator.shrunk(row[None], size), side)
                seen = [generator.middle_features(row[None])[0], full]
                first = first or seen
                x, y = (
                    scale * (now - rest)[:, ::FITTED_STRIDE, ::FITTED_STRIDE].flatten(1)
                    for now, rest in zip(seen, first, strict=True)
                )
                found = [x @ x.T, x @ y.T, *seen]
                sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
            squares, products, features, pictures = sums
            ridge = (RIDGE * squares.diagonal().mean()).clamp_min(SMALLEST_RIDGE)
            ridge = ridge * torch.eye(len(squares)).to(squares)
            weight = torch.linalg.solve(squares + ridge, products).T.contiguous()
            drawn = torch.einsum("oc,chw->ohw", weight, features)
            error = _pictures((pictures - drawn) / len(styles))
        return cls(generator, size, weight, error)

    def draw(self, styles: Tensor) -> Tensor:
        """Return pictures [N, 3, size, size] of styles [N, num_styles], not corrected."""
        return self.generator.drawn_from_middle(styles, self.weight)


def _scale(weights: Tensor | None, side: int) -> Tensor | float:
    """Return what multiplies the pixels that a fit looks at, [pixels]; see `ShortPreview.fitted`.

    Every pixel keeps a little, so that the map is known where the face turns to.
    """
    if weights is None:
        return 1.0
    shares = F.avg_pool2d((weights / weights.mean())[None], weights.shape[-1] // side)[0]
    return (shares + LEAST_SHARE)[::FITTED_STRIDE, ::FITTED_STRIDE].flatten().sqrt()


def can_draw(generator: Generator, size: int) -> bool:
    """Return whether a generator has short previews of `size` pixels a side."""
    return generator.middle is not None and size in (generator.middle[1], 2 * generator.middle[1])


def weight_shape(generator: Generator, size: int) -> tuple[int, int]:
    """Return the shape of the linear map that draws `size` pixels a side, one that `can_draw`."""
    channels, side = _middle(generator)
    return (3 if size == side else 12), channels


def _middle(generator: Generator) -> tuple[int, int]:
    """Return the channels of the features in the middle, and their side."""
    if generator.middle is None:
        raise ValueError(f"no middle of {generator.name} is known")
    return generator.middle


def _bands(pictures: Tensor, side: int) -> Tensor:
    """Return a picture [1, 3, S, S] as channels of `side` pixels: itself, or its Haar bands."""
    if pictures.shape[-1] == side:
        return pictures[0]
    a, b, c, d = F.pixel_unshuffle(pictures, 2)[0].view(3, 4, side, side).unbind(1)
    sides = torch.stack([a + b - c - d, a - b + c - d, a - b - c + d], 1).flatten(0, 1)
    return torch.cat([a + b + c + d, sides]) / 2


def _pictures(bands: Tensor) -> Tensor:
    """Return the picture [3, S, S] of which `_bands` made channels."""
    if len(bands) == 3:
        return bands
    low, sides = bands[:3], bands[3:].view(3, 3, *bands.shape[1:])
    lh, hl, hh = sides.unbind(1)
    parts = [low + lh + hl + hh, low + lh - hl - hh, low - lh + hl - hh, low - lh - hl + hh]
    return F.pixel_shuffle(torch.stack(parts, 1).flatten(0, 1)[None] / 2, 2)[0]
