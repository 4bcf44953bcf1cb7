"""Adam over the frames of a fit, one at a time: the loop that inversion and tuning share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

MOMENTA = (0.9, 0.98)


def cosine(step: int, steps: int, warm: int = 8) -> float:
    """Return a learning-rate factor: linear warm-up, then half a cosine down to 0.05."""
    ramp = min(1.0, (step + 1) / warm)
    fall = 0.5 * (1 + math.cos(math.pi * step / max(steps, 1)))
    return ramp * (0.05 + 0.95 * fall)


def in_turn(count: int) -> Iterator[int]:
    """Yield frame numbers without end, all of them in a new seeded order each time round."""
    order = np.random.default_rng(0)
    while True:
        yield from reversed(order.permutation(count).tolist())


def descend(
    groups: Iterable[tuple[list[Tensor], float]], frames: Iterator[int], steps: int, warm: int = 8
) -> Iterator[tuple[int, int]]:
    """Yield (step, frame) `steps` times, taking an Adam step after the caller's backward pass.

    `groups` are leaves and their largest learning rate. Gradients are empty when a pair is
    yielded; whatever the caller has left in them is followed.
    """
    optimiser = torch.optim.Adam(
        [{"params": leaves, "rate": rate} for leaves, rate in groups], betas=MOMENTA
    )
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * cosine(step, steps, warm)
        optimiser.zero_grad()
        yield step, next(frames)
        optimiser.step()
