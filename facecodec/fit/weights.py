"""Full tuning: the synthesis network itself, changed a little for one person.

Pivotal tuning (Roich et al. 2021, arXiv 2106.05744) around a person who has been tuned lightly:
convolutions and biases move under a penalty on their change, several keyframes at once, so that
what is learnt is the person and not one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.fit.comparison import Comparison
from facecodec.fit.descent import descend, in_turn
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target
from facecodec.fit.response import Response
from facecodec.generator.base import Generator
from facecodec.generator.preview import FramePreviews
from facecodec.progress import Progress

WARM = 24  # steps over which rates rise: Adam's first ones, sure of themselves, wreck the picture


@dataclass(frozen=True)
class WeightPlan:
    """How long and how freely weights are tuned.

    `steps` Adam steps at `coarse` pixels, then `fine_steps` at `fine`. `rate` is the learning rate
    in units of a tensor's root mean square, `calm` the penalty on the mean square of its change in
    the same units. `step` is the quantiser's, in those units too.
    """

    steps: int = 500
    fine_steps: int = 400
    coarse: int = 128
    fine: int = 256
    rate: float = 0.003
    control_rate: float = 0.02
    control_calm: float = 2e-4
    calm: float = 0.5
    likeness: float = 0.5
    texture: float = 0.5
    step: float = 0.01


def sizes(generator: Generator) -> list[int]:
    """Return how many numbers each tunable tensor of a generator has."""
    return [generator.tunable_tensor(name).numel() for name in generator.tunable]


def changed(generator: Generator, values: NDArray[np.float32]) -> Generator:
    """Return a generator with the changes of a full tuning, [sum of sizes], in tensors' units."""
    parts = torch.from_numpy(values).to(generator.w_mean.device).split(sizes(generator))
    return generator.changed(_added(generator, parts, units(generator)))


def units(generator: Generator) -> list[float]:
    """Return the unit of each tunable tensor's changes."""
    return [unit(generator.tunable_tensor(name)) for name in generator.tunable]


def _added(
    generator: Generator, parts: Sequence[Tensor], scales: Sequence[float]
) -> dict[str, Tensor]:
    tensors = [generator.tunable_tensor(name) for name in generator.tunable]
    return {
        name: tensor + part.reshape(tensor.shape) * scale
        for name, tensor, part, scale in zip(generator.tunable, tensors, parts, scales, strict=True)
    }


def unit(tensor: Tensor) -> float:
    """Return the root mean square of a tensor, by which its changes are measured."""
    return max(float(tensor.double().square().mean().sqrt()), 1e-6)


def tune_weights(
    generator: Generator,
    response: Response,
    targets: Sequence[Target],
    controls: Tensor,
    plan: WeightPlan,
    likeness: Likeness | None,
    progress: Progress,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return the changes of all tunable weights, and the targets' controls under them.

    `response` is the person, lightly tuned or not; `controls` [frames, 35] are those of `targets`.
    The changes, float32 [sum of sizes], are in units of each tensor's root mean square.
    """
    compare = Comparison(targets, likeness, plan.likeness, plan.texture)
    parts = [
        torch.zeros(size, device=generator.w_mean.device, requires_grad=True)
        for size in sizes(generator)
    ]
    moved = controls.float().to(response.basis.device, copy=True).requires_grad_(True)
    groups = [(parts, plan.rate), ([moved], plan.control_rate)]
    previews = FramePreviews(plan.fine)
    total, scales = plan.steps + plan.fine_steps, units(generator)
    for step, frame in descend(groups, in_turn(len(targets)), total, WARM):
        size = plan.coarse if step < plan.steps else plan.fine
        network = generator.changed(_added(generator, parts, scales))
        styles = response.styles + moved[frame] @ response.basis
        loss = compare(frame, previews(network, frame, styles[None], size))
        loss = loss + compare.in_full(frame, previews.full)
        loss = loss + plan.control_calm * moved[frame].square().sum()
        loss = loss + plan.calm * sum((part.square().mean() for part in parts), torch.zeros(()))
        loss.backward()
        progress("tuning weights", step + 1, total)
    return torch.cat(parts).detach().cpu().numpy(), moved.detach()
