"""Weight tuning, the second half of a full one: the synthesis network itself changes a little.

Pivotal tuning (Roich et al. 2021, arXiv 2106.05744) around a person who has been tuned lightly:
convolutions and biases move under a penalty on their change, for several keyframes at once, so
that the person is learnt and not one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cuda_ops
from facecodec.fit.comparison import Comparison
from facecodec.fit.descent import descend, shuffled_rounds
from facecodec.fit.detail import DetailWeights
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target
from facecodec.fit.response import Response
from facecodec.generator.base import Generator
from facecodec.generator.preview import FramePreviews
from facecodec.progress import Progress

# Steps over which learning rates rise: Adam's first steps are as long as any, before it knows the
# gradients' size, and wreck the picture.
WARM_UP_STEPS = 24
FULL_RATE = 0.5  # of the learning rates while steps look at full renders
SMALLEST_UNIT = 1e-6  # of a tensor of zeros, so that it can change at all


@dataclass(frozen=True, kw_only=True)
class WeightTuningPlan:
    """How long weights are tuned, and what holds them back.

    Changes are in units of their tensor's root mean square, controls in standard deviations.
    """

    steps: int = 500  # Adam steps at `coarse_size` pixels
    full_steps: int = 240  # Adam steps after those, at full renders and the targets' own size
    coarse_size: int = 128
    rate: float = 0.003  # largest learning rate of changes
    control_rate: float = 0.02  # largest learning rate of controls
    control_penalty: float = 2e-4  # per squared control, summed over controls
    change_penalty: float = 0.5  # per mean squared change of a tensor, summed over tensors
    likeness_weight: float = 0.5  # of squared distances of face embeddings
    texture_weight: float = 0.5  # in `multiscale_l1`
    detail: DetailWeights = DetailWeights()  # at full renders
    step: float = 0.01  # of the quantiser


def tensor_sizes(generator: Generator) -> list[int]:
    """Return how many numbers each tunable tensor of a generator has."""
    return [generator.tunable_tensor(name).numel() for name in generator.tunable]


def changed(generator: Generator, values: NDArray[np.float32]) -> Generator:
    """Return a generator with the changes of a full tuning, [sum of the tensors' sizes].

    In units of each tensor's root mean square.
    """
    device = generator.w_mean.device
    parts = torch.split(torch.from_numpy(values).to(device), tensor_sizes(generator))
    return generator.changed(_added(generator, parts, units(generator)))


def units(generator: Generator) -> list[float]:
    """Return the unit of each tunable tensor's changes, see `unit`."""
    return [unit(generator.tunable_tensor(name)) for name in generator.tunable]


def _added(
    generator: Generator, parts: Sequence[Tensor], scales: Sequence[float]
) -> dict[str, Tensor]:
    """Return the tunable tensors with their changes `parts`, flat [size] in units of `scales`."""
    tensors = [generator.tunable_tensor(name) for name in generator.tunable]
    return {
        name: tensor + part.reshape(tensor.shape) * scale
        for name, tensor, part, scale in zip(generator.tunable, tensors, parts, scales, strict=True)
    }


def unit(tensor: Tensor) -> float:
    """Return the root mean square of a tensor [...], by which its changes are measured."""
    return max(float(tensor.double().square().mean().sqrt()), SMALLEST_UNIT)


def tune_weights(
    generator: Generator,
    response: Response,
    targets: Sequence[Target],
    controls: Tensor,
    plan: WeightTuningPlan,
    likeness: Likeness | None,
    progress: Progress,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return the changes of all tunable tensors, and the targets' controls.

    `response` is the person, lightly tuned or not, `controls` [K, num_controls] those of the K
    `targets` to start from; they are fitted too, and returned in the same shape. The changes,
    float32 [sum of the tensors' sizes], are in units of each tensor's root mean square. Without
    `likeness` pictures alone are compared.
    """
    compare = Comparison(targets, likeness, plan.likeness_weight, plan.texture_weight)
    parts = [
        torch.zeros(size, device=generator.w_mean.device, requires_grad=True)
        for size in tensor_sizes(generator)
    ]
    moved = controls.float().to(response.basis.device, copy=True).requires_grad_(True)
    previews, scales = FramePreviews(), units(generator)
    total = plan.steps + plan.full_steps

    def look(step: int, frame: int) -> Tensor:
        """Return the loss [] of one target's render at this step."""
        network = generator.changed(_added(generator, parts, scales))
        styles = (response.styles + moved[frame] @ response.basis)[None]
        if step >= plan.steps:
            with cuda_ops.roughly():
                full_render = network.synthesize(styles)
            return compare.full_loss(frame, full_render, plan.detail)
        return compare(frame, previews(network, frame, styles, plan.coarse_size))

    for first, steps, rate in (0, plan.steps, 1.0), (plan.steps, plan.full_steps, FULL_RATE):
        groups = [(parts, plan.rate * rate), ([moved], plan.control_rate * rate)]
        for step, frame in descend(
            groups, shuffled_rounds(len(targets)), steps, WARM_UP_STEPS, previews
        ):
            loss = look(first + step, frame)
            loss = loss + plan.control_penalty * moved[frame].square().sum()
            change = sum((part.square().mean() for part in parts), torch.zeros(()))
            loss = loss + plan.change_penalty * change
            torch.autograd.backward(loss)
            progress("tuning weights", first + step + 1, total)
    return torch.cat(parts).detach().cpu().numpy(), moved.detach()
