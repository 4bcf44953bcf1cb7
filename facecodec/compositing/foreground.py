"""What a person is coloured like at their edge, without the wall behind them."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

BLURRED_SIZE = 64  # side in pixels at which colours are spread
NEAR_RADIUS, FAR_RADIUS = 2, 6  # pixels of that size over which they are
FAR_WEIGHT = 1e-2  # of a colour from afar, beside 1: it counts where there is none near
SURE_POWER = 8  # of alpha, with which a pixel's colour counts: mixed ones hardly do
SMALLEST_WEIGHT = 1e-6


def foreground(square: Tensor, alpha: Tensor) -> Tensor:
    """Return the colours [3, S, S] of what alpha [S, S] covers in a square [3, S, S].

    At an edge a pixel mixes the person with what is behind: C = alpha F + (1 - alpha) B. F and B
    are spread from where they are seen alone, then F is corrected so that the mixture is C (after
    Forte 2021, "Approximate fast foreground colour estimation", ICIP 2021).
    """
    both = F.interpolate(front_and_back(square, alpha)[None], square.shape[-2:], mode="bilinear")
    return unmixed(square, alpha, both[0])


def front_and_back(square: Tensor, alpha: Tensor) -> Tensor:
    """Return the colours of the person and of what is behind, spread: [6, s, s].

    square [3, S, S]; alpha [S, S]: where the person is. s is `BLURRED_SIZE`, or S if that is less.
    """
    size = min(BLURRED_SIZE, square.shape[-1])
    layers = torch.cat([square, alpha[None]])[None]
    small = F.interpolate(layers, (size, size), mode="area")[0]
    colours, front = small[:3], small[3:].clamp(0, 1) ** SURE_POWER
    back = (1 - small[3:]).clamp(0, 1) ** SURE_POWER
    maps = torch.cat([colours * front, front, colours * back, back])[None]
    both = _means(maps, NEAR_RADIUS) + FAR_WEIGHT * _means(maps, FAR_RADIUS)
    weights = both[3::4].clamp_min(SMALLEST_WEIGHT)
    return torch.cat([both[:3] / weights[:1], both[4:7] / weights[1:]])


def unmixed(colours: Tensor, alpha: Tensor, both: Tensor) -> Tensor:
    """Return colours [3, ...] without what is behind them; both [6, ...] as spread."""
    front, back = both[:3], both[3:]
    return (front + alpha * (colours - alpha * front - (1 - alpha) * back)).clamp_(0, 255)


def _means(maps: Tensor, radius: int) -> Tensor:
    """Return the means of maps [1, C, s, s] over windows of a radius, [C, s, s], 0 outside."""
    windows = _windows(maps.shape[-1], radius)
    return windows @ maps[0] @ windows


@cache
def _windows(size: int, radius: int) -> Tensor:
    """Return the symmetric matrix [s, s] that averages over windows: as quick as a product is."""
    axis = torch.arange(size)
    near = (axis[:, None] - axis).abs() <= radius
    return near.float() / (2 * radius + 1)
