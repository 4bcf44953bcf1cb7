"""The space in which a person is sought: W along its principal directions."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from facecodec.fit.naturalness import Naturalness
from facecodec.generator.base import Generator
from facecodec.generator.sampling import draw_latents

WHITENING = 0.7  # 0: W as it is, 1: every principal direction of W equally long
SMALLEST_SPREAD = 1e-3  # of W along a principal direction, so that none is divided by zero
DIRECTION_SCALE = 0.5  # root mean square of a coordinate of w when every amount is 1
DIRECTION_SAMPLES = 4000  # latents drawn to find the principal directions of W

_spaces: WeakKeyDictionary[Generator, tuple[Tensor, Naturalness]] = WeakKeyDictionary()


def principal_directions(generator: Generator) -> Tensor:
    """Return directions [w_dim, w_dim] of W, stretched by a power of the spread along them.

    W is far longer along some directions than along others; steps of one size along these rows
    reach a face in a third fewer iterations than steps along the coordinates.
    """
    samples = draw_latents(generator, DIRECTION_SAMPLES, seed=0, truncation=1.0) - generator.w_mean
    _, stretch, directions = torch.linalg.svd(samples, full_matrices=False)
    scaled = (stretch / DIRECTION_SAMPLES**0.5).clamp_min(SMALLEST_SPREAD) ** WHITENING
    matrix: Tensor = scaled[:, None] * directions
    return matrix * (DIRECTION_SCALE / matrix.square().sum(0).mean().sqrt())


def search_space(generator: Generator) -> tuple[Tensor, Naturalness]:
    """Return the principal directions of W, and how natural a latent is, measured along them.

    Takes half a second the first time for a generator; whoever will be in a hurry asks before.
    """
    if generator not in _spaces:
        directions = principal_directions(generator)
        _spaces[generator] = directions, Naturalness(generator, directions)
    return _spaces[generator]
