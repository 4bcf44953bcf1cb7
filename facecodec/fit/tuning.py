"""Tuning: what a generator gets wrong about one person, learnt from several of their frames.

Pivotal tuning (Roich et al. 2021, arXiv 2106.05744) changes the weights of the network. Here the
network stays, and two other things that are linear in StyleSpace change: the person's own styles,
freed from what a W+ code can say, and the response of the styles to each control, which the rig
gives as one channel and a face as a little of many. Both stay close to where they began, so a
tuned person still answers to another's motion.
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
from facecodec.fit.response import Response, channel_spread
from facecodec.generator.base import Generator
from facecodec.generator.preview import FramePreviews
from facecodec.progress import Progress


@dataclass(frozen=True)
class TuningPlan:
    """How long and how freely a tuning runs.

    `steps` Adam steps at `coarse` pixels, then `fine_steps` at `fine`, half as fast. `styles_rate`
    and `response_rate` are learning rates in units of a channel's spread, `styles_calm` and
    `response_calm` the penalties on their squares; `likeness` and `texture` as in an inversion: a
    tuning can place detail where it belongs, and need not settle for its amount.
    """

    keyframes: int = 24
    steps: int = 700
    fine_steps: int = 600
    coarse: int = 128
    fine: int = 256
    styles_rate: float = 0.015
    response_rate: float = 0.0015
    control_rate: float = 0.02
    styles_calm: float = 0.01
    response_calm: float = 1e-4
    control_calm: float = 2e-4
    likeness: float = 0.5
    texture: float = 0.5
    styles_step: float = 0.05
    response_step: float = 0.02


def tune(
    generator: Generator,
    response: Response,
    targets: Sequence[Target],
    controls: Tensor,
    plan: TuningPlan,
    likeness: Likeness | None,
    progress: Progress,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return the values [36, num_styles] of a tuning, and the targets' controls under it.

    `controls` [frames, 35] are where the targets' controls start; they are fitted along.
    """
    spread = channel_spread(generator)
    styles = torch.zeros_like(spread, requires_grad=True)
    responses = torch.zeros_like(response.basis, requires_grad=True)
    moved = controls.float().to(spread.device, copy=True).requires_grad_(True)
    compare = Comparison(targets, likeness, plan.likeness, plan.texture)
    previews = FramePreviews(plan.fine)
    done, total = 0, plan.steps + plan.fine_steps
    for steps, size, rate in (plan.steps, plan.coarse, 1.0), (plan.fine_steps, plan.fine, 0.5):
        groups = [
            ([styles], plan.styles_rate * rate),
            ([responses], plan.response_rate * rate),
            ([moved], plan.control_rate * rate),
        ]
        for _, frame in descend(groups, in_turn(len(targets)), steps):
            basis = response.basis + responses * spread
            shown = response.styles + styles * spread + moved[frame] @ basis
            loss = compare(frame, previews(generator, frame, shown[None], size))
            loss = loss + compare.in_full(frame, previews.full)
            loss = loss + plan.styles_calm * styles.square().mean()
            loss = loss + plan.response_calm * responses.square().sum(1).mean()
            loss = loss + plan.control_calm * moved[frame].square().sum()
            loss.backward()
            done += 1
            progress("tuning", done, total)
    values = torch.cat([styles[None], responses]).detach()
    return values.cpu().numpy(), moved.detach()
