"""Adam over the frames of a fit, one at a time: the loop that inversion and tuning share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from facecodec.checkpoint import State, stage

# A fit takes hundreds of steps: squared gradients are averaged over 50 of them, not over Adam's
# usual 1000 (Kingma and Ba 2015, arXiv 1412.6980).
ADAM_BETAS = (0.9, 0.98)
WARM_UP_STEPS = 8
FINAL_RATE = 0.05  # share of the largest learning rate that is left at the end


class Resumable(Protocol):
    """What changes in the course of a fit, beside what is fitted."""

    def state(self) -> State:
        """Return what it is now."""

    def restore(self, state: State) -> None:
        """Make it what it was."""


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
    beside: Resumable | None = None,
) -> Iterator[tuple[int, int]]:
    """Yield (step, frame) `steps` times, taking an Adam step after the caller's backward pass.

    `groups` are leaf tensors, of any shape [...], and their largest learning rate. Gradients are
    empty when a pair is yielded; the step follows those that the caller has accumulated since.
    Where a checkpoint has kept how far this went, it goes on there, with `beside` as it was.
    """
    optimiser = torch.optim.Adam(
        [{"params": leaves, "rate": rate} for leaves, rate in groups], betas=ADAM_BETAS
    )
    kept, first = stage("descent"), 0
    if kept.known is not None:
        first = _restored(optimiser, beside, kept.known)
    for _ in range(first):
        next(frames)
    for step in range(first, steps):
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * learning_rate_factor(step, steps, warm_up)
        optimiser.zero_grad()
        yield step, next(frames)
        optimiser.step()
        if kept.due():
            kept.keep(_state(optimiser, beside, step + 1))
    if first < steps:
        kept.keep(_state(optimiser, beside, steps))


def _state(optimiser: torch.optim.Adam, beside: Resumable | None, steps: int) -> State:
    """Return a descent after so many steps."""
    leaves = [leaf for group in optimiser.param_groups for leaf in group["params"]]
    return {
        "steps": steps,
        "leaves": leaves,
        "adam": [optimiser.state.get(leaf, {}) for leaf in leaves],
        "beside": None if beside is None else beside.state(),
    }


def _restored(optimiser: torch.optim.Adam, beside: Resumable | None, state: State) -> int:
    """Make a descent what it was, and return how many steps it had taken."""
    leaves = [leaf for group in optimiser.param_groups for leaf in group["params"]]
    for leaf, value, known in zip(leaves, state["leaves"], state["adam"], strict=True):
        with torch.no_grad():
            leaf.copy_(torch.from_numpy(value))
        if known:
            optimiser.state[leaf] = {
                name: torch.from_numpy(array).clone().to(_place(name, leaf))
                for name, array in known.items()
            }
    if beside is not None:
        beside.restore(state["beside"])
    steps: int = state["steps"]
    return steps


def _place(name: str, leaf: Tensor) -> torch.device:
    """Return where Adam keeps one of its tensors: its count of steps on the CPU."""
    return torch.device("cpu") if name == "step" else leaf.device
