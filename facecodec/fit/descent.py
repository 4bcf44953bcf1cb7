"""Adam over the frames of a fit, one at a time: the loop that inversion and tuning share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

# A fit takes hundreds of steps: squared gradients are averaged over 50 of them, not over Adam's
# usual 1000 (Kingma and Ba 2015, arXiv 1412.6980).
ADAM_BETAS = (0.9, 0.98)
WARM_UP_STEPS = 8
FINAL_RATE = 0.05  # share of the largest learning rate that is left at the end


def learning_rate_factor(step: int, steps: int, warm_up: int = WARM_UP_STEPS) -> float:
    """Return the learning rate's factor at `step` of `steps`, 0 to 1.

    A linear rise over `warm_up` steps, times half a cosine from 1 down to `FINAL_RATE`.
    """
    rise = min(1.0, (step + 1) / warm_up)
    fall = 0.5 * (1 + math.cos(math.pi * step / max(steps, 1)))
    return rise * (FINAL_RATE + (1 - FINAL_RATE) * fall)


def shuffled_rounds(count: int) -> Iterator[int]:
    """Yield frame numbers below `count` without end, every round in another seeded order."""
    order = np.random.default_rng(0)
    while True:
        yield from reversed(order.permutation(count).tolist())


def descend(
    groups: Iterable[tuple[list[Tensor], float]],
    frames: Iterator[int],
    steps: int,
    warm_up: int = WARM_UP_STEPS,
) -> Iterator[tuple[int, int]]:
    """Yield (step, frame) `steps` times, taking an Adam step after the caller's backward pass.

    `groups` are leaf tensors, of any shape [...], and their largest learning rate. Gradients are
    empty when a pair is yielded; the step follows those that the caller has accumulated since.
    """
    optimiser = torch.optim.Adam(
        [{"params": leaves, "rate": rate} for leaves, rate in groups], betas=ADAM_BETAS
    )
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * learning_rate_factor(step, steps, warm_up)
        optimiser.zero_grad()
        yield step, next(frames)
        optimiser.step()
