"""What a fit compares: aligned pictures at several scales, weighted by what matters on a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.mask import face_mask
from facecodec.face.signals import interocular

# landmark group -> (indices, radius over the distance of the eyes, weight)
# Eyes and mouth are few pixels and carry the expression; the background carries none.
FACE = (tuple(range(68)), 0.55, 1.0)
MOUTH = (tuple(range(48, 68)), 0.14, 3.0)
EYES = (tuple(range(36, 48)), 0.11, 5.0)
BACKGROUND = 0.15
DETAIL = 2.0
PATCH = 5  # pixels over which texture is averaged
OUTSIDE = 0.03  # of their weight is left to pixels outside the inner face where motion is sought
EDGE = 9  # pixels over which the inner face ends


def shrink(pictures: Tensor, size: int) -> Tensor:
    """Average pictures [N, C, H, W] down to [N, C, size, size]; H is a multiple of size."""
    return F.avg_pool2d(pictures, pictures.shape[-1] // size)


def weight_map(landmarks: NDArray[np.float64] | None, size: int) -> Tensor:
    """Return pixel weights [1, size, size] for landmarks given in units of the square, 0 to 1.

    Without landmarks every pixel weighs the same as the face.
    """
    if landmarks is None:
        return torch.ones(1, size, size)
    points = torch.tensor(landmarks, dtype=torch.float32)
    eyes = interocular(landmarks)
    axis = (torch.arange(size) + 0.5) / size
    weights = torch.full((size, size), BACKGROUND)
    for indices, radius, weight in (FACE, MOUTH, EYES):
        group = points[list(indices)]
        across = (axis[None, :] - group[:, 0:1]).square()
        down = (axis[None, :] - group[:, 1:2]).square()
        squared = (down[:, :, None] + across[:, None, :]).amin(0)
        near = torch.exp(-squared / (2 * (radius * eyes) ** 2))
        weights = torch.maximum(weights, weight * near)
    return weights[None]


@dataclass(frozen=True)
class Target:
    """One aligned frame to be explained: picture [3, S, S] in [-1, 1] and pixel weights [1, S, S].

    `landmarks` [68, 2] in units of the square, 0 to 1, None where they were not found.
    """

    picture: Tensor
    weights: Tensor
    landmarks: NDArray[np.float64] | None


def inner_weights(target: Target) -> Tensor:
    """Return a target's weights [1, S, S], little of them outside its inner face.

    Hair, ears and what is behind them turn with a generator's head as they do not in a clip.
    """
    if target.landmarks is None:
        return target.weights
    size = target.weights.shape[-1]
    inside = torch.from_numpy(face_mask(target.landmarks * size, size)).to(target.weights)
    inside = F.avg_pool2d(inside[None], EDGE, 1, EDGE // 2)
    return target.weights * (OUTSIDE + (1 - OUTSIDE) * inside)


def multiscale_l1(
    pictures: Tensor, targets: Tensor, weights: Tensor, texture: float, scales: int = 3
) -> Tensor:
    """Return the weighted mean absolute difference, averaged over octaves of resolution.

    pictures and targets [N, 3, S, S], weights [N, 1, S, S]; coarse scales carry light and
    colour, fine ones detail, and each counts the same. Of the band between one octave and the next
    two more things count: its difference, `DETAIL` times, and the difference of its mean size over
    a patch, `texture` times. A mean absolute difference alone is content with a blur: hair in the
    wrong place costs more than no hair, and texture is what tells them apart.
    """
    total = pictures.new_zeros(())
    for _ in range(scales):
        smaller, shown = band(pictures)
        smaller_target, wanted = band(targets)
        difference = (pictures - targets).abs() + DETAIL * (shown - wanted).abs()
        difference = difference + texture * (_texture(shown) - _texture(wanted)).abs()
        total = total + (difference * weights).sum() / (3 * weights.sum())
        pictures, targets, weights = smaller, smaller_target, F.avg_pool2d(weights, 2)
    return total / scales


def band(pictures: Tensor, factor: int = 2) -> tuple[Tensor, Tensor]:
    """Return pictures [N, 3, S, S] shrunk by `factor`, and what of them is lost in those."""
    smaller = F.avg_pool2d(pictures, factor)
    return smaller, pictures - F.interpolate(smaller, scale_factor=factor, mode="bilinear")


def _texture(detail: Tensor) -> Tensor:
    return F.avg_pool2d(detail.abs(), PATCH, 1, PATCH // 2)
