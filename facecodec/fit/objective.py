"""What a fit compares: aligned pictures at several scales, weighted by what matters on a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

import cuda_ops
from facecodec.face.layout import EYES, MOUTH
from facecodec.face.mask import face_mask
from facecodec.face.signals import interocular

# Of all landmarks, the mouth's and the eyes': the standard deviation of the Gaussian around each,
# in eye distances, and the weight at its centre. Eyes and mouth are few pixels and carry the
# expression.
WEIGHTED_PARTS = ((0.55, 1.0), (0.14, 3.0), (0.11, 5.0))
BACKGROUND_WEIGHT = 0.15
OUTER_WEIGHT = 0.03  # share of their weight that pixels outside the inner face keep in tracking
INNER_FACE_BLUR = 9  # pixels over which the weights fall from the inner face to the rest
DETAIL_WEIGHT = 2.0  # of the difference of a band, beside 1 for the difference of the pictures
TEXTURE_PATCH = 5  # pixels over which the amplitude of a band is averaged
SCALES = 3  # octaves of resolution that are compared


def shrink(pictures: Tensor, size: int) -> Tensor:
    """Average pictures [N, C, H, W] down to [N, C, size, size]; H = W is a multiple of `size`."""
    factor = pictures.shape[-1] // size
    while factor % 2 == 0:
        pictures, factor = cuda_ops.halved(pictures), factor // 2
    return F.avg_pool2d(pictures, factor) if factor > 1 else pictures


def weight_map(landmarks: NDArray[np.float64] | None, size: int) -> Tensor:
    """Return pixel weights [1, size, size] for landmarks [68, 2] in units of the square, 0 to 1.

    Without landmarks every pixel weighs 1, as much as the face.
    """
    if landmarks is None:
        return torch.ones(1, size, size)
    points = torch.tensor(landmarks, dtype=torch.float32)
    eye_distance = interocular(landmarks)
    axis = (torch.arange(size) + 0.5) / size
    across = (axis[None, :] - points[:, 0:1]).square()
    down = (axis[None, :] - points[:, 1:2]).square()

    def nearest(part: slice) -> Tensor:
        """Return the squared distances [size, size] from the nearest landmark of a part."""
        return (down[part, :, None] + across[part, None, :]).amin(0)

    mouth, eyes = nearest(MOUTH), nearest(EYES)
    rest = nearest(slice(min(EYES.start, MOUTH.start)))
    every = torch.minimum(rest, torch.minimum(mouth, eyes))
    weights = torch.full((size, size), BACKGROUND_WEIGHT)
    for squared, (radius, weight) in zip((every, mouth, eyes), WEIGHTED_PARTS, strict=True):
        near = torch.exp(-squared / (2 * (radius * eye_distance) ** 2))
        weights = torch.maximum(weights, weight * near)
    return weights[None]


@dataclass(frozen=True)
class Target:
    """One aligned frame to be explained."""

    picture: Tensor  # float32 [3, S, S] in [-1, 1]
    weights: Tensor  # of its pixels, float32 [1, S, S]
    landmarks: NDArray[np.float64] | None  # [68, 2] in units of the square, 0 to 1; None: no face


def inner_weights(target: Target) -> Tensor:
    """Return a target's weights [1, S, S], of which little is left outside its inner face.

    Hair, ears and what is behind them turn with a generator's head, but not with a person's.
    """
    if target.landmarks is None:
        return target.weights
    size = target.weights.shape[-1]
    inside = torch.from_numpy(face_mask(target.landmarks * size, size)).to(target.weights)
    inside = F.avg_pool2d(inside[None], INNER_FACE_BLUR, 1, INNER_FACE_BLUR // 2)
    return target.weights * (OUTER_WEIGHT + (1 - OUTER_WEIGHT) * inside)


class Octave(NamedTuple):
    """What is wanted in one octave of resolution.

    pictures, and of the band between this octave and the next the detail and its mean amplitude
    around each pixel, [N, 3, S, S]; weights [N, 1, S, S], and their sum [].
    """

    pictures: Tensor
    detail: Tensor
    amplitude: Tensor
    weights: Tensor
    total: Tensor


def octaves(targets: Tensor, weights: Tensor, scales: int = SCALES) -> list[Octave]:
    """Return what is wanted in `scales` octaves of targets [N, 3, S, S], finest first.

    weights [N, 1, S, S]: how much each pixel counts.
    """
    found = []
    for _ in range(scales):
        smaller, detail = band(targets)
        found.append(Octave(targets, detail, _amplitude(detail), weights, weights.sum()))
        targets, weights = smaller, cuda_ops.halved(weights)
    return found


def multiscale_l1(pictures: Tensor, wanted: Sequence[Octave], texture_weight: float) -> Tensor:
    """Return the weighted mean absolute difference over octaves of resolution, [].

    `pictures` [N, 3, S, S]; `wanted`: the `octaves` of their targets. Coarse octaves carry light
    and colour, fine ones detail, and all count alike. Of the band between an octave and the next
    two more terms count: `DETAIL_WEIGHT` times its difference, and `texture_weight` times the
    difference of its mean amplitude over a patch. A mean absolute difference alone prefers a blur,
    since hair in the wrong place costs more than no hair; amplitudes tell these two apart.
    """
    total = pictures.new_zeros(())
    for octave in wanted:
        smaller, detail = band(pictures)
        apart = cuda_ops.apart(pictures, octave.pictures, octave.weights)
        apart = apart + DETAIL_WEIGHT * cuda_ops.apart(detail, octave.detail, octave.weights)
        texture = cuda_ops.apart(_amplitude(detail), octave.amplitude, octave.weights)
        total = total + (apart + texture_weight * texture) / octave.total
        pictures = smaller
    return total / len(wanted)


def band(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures [N, 3, S, S] of half the size, and the detail this loses, [N, 3, S, S]."""
    smaller = cuda_ops.halved(pictures)
    return smaller, cuda_ops.finer(pictures, smaller)


def _amplitude(detail: Tensor) -> Tensor:
    """Return the mean amplitude of detail [N, 3, S, S] around each pixel, same shape."""
    means: Tensor = _PatchMeans.apply(detail.abs())  # type: ignore[no-untyped-call]
    return means


class _PatchMeans(torch.autograd.Function):
    """The means of maps [N, C, H, W] over patches around each pixel, zeros beyond the edges.

    As `avg_pool2d` has them, but by sums of whole rows, which are vectors. Such a map is its own
    transpose.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """[N, C, H, W] -> the same."""
        return _patch_means(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """[N, C, H, W] -> the same."""
        return _patch_means(gradient)


def _patch_means(values: Tensor) -> Tensor:
    """Return the means of maps [N, C, H, W] over `TEXTURE_PATCH` pixels each way, same shape."""
    edge, (height, width) = TEXTURE_PATCH // 2, values.shape[2:]
    padded = F.pad(values, (edge, edge, edge, edge))
    rows = padded[:, :, :height].clone()
    for i in range(1, TEXTURE_PATCH):
        rows += padded[:, :, i : i + height]
    total = rows[..., :width].clone()
    for i in range(1, TEXTURE_PATCH):
        total += rows[..., i : i + width]
    return total / TEXTURE_PATCH**2
