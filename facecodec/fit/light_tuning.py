"""Light tuning: what a generator gets wrong about one person, learnt from several of their frames.

Pivotal tuning (Roich et al. 2021, arXiv 2106.05744) changes the weights of the network. Here the
network stays, and two things that are linear in StyleSpace change: the person's own styles, no
longer bound to what a W+ latent can express, and the response of the styles to each control, which
is one channel in the rig and a little of many in a face. Both stay close to where they began, so a
tuned person still responds to another's motion. A small tuning says the second by few directions in
the styles, of which every control takes its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

import cuda_ops
from facecodec.fit.comparison import Comparison
from facecodec.fit.control_effects import ControlEffects, OwnEffects, SharedEffects
from facecodec.fit.descent import descend, shuffled_rounds
from facecodec.fit.detail import DetailWeights
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target
from facecodec.fit.response import Response, channel_spread
from facecodec.generator.base import Generator
from facecodec.generator.preview import FramePreviews
from facecodec.progress import Progress
from facecodec.types import Floats

FULL_RATE = 0.5  # of the learning rates while steps look at full renders


@dataclass(frozen=True, kw_only=True)
class LightTuningPlan:
    """How long a light or small tuning runs, and what holds it back.

    Styles and responses are in units of `channel_spread`, controls in standard deviations.
    """

    keyframes: int = 24  # of the clip, to which the person is tuned
    steps: int = 700  # Adam steps at `coarse_size` pixels
    full_steps: int = 340  # Adam steps after those, at full renders and the targets' own size
    coarse_size: int = 128
    # of a small tuning, that all controls share; None for a row of styles for every control
    directions: int | None = None
    styles_rate: float = 0.015  # largest learning rates
    response_rate: float = 0.0015
    direction_rate: float = 0.015
    share_rate: float = 0.01
    control_rate: float = 0.02
    styles_penalty: float = 0.01  # per mean squared change
    response_penalty: float = 1e-4  # per squared change, summed over controls
    direction_penalty: float = 0.01  # per squared change, summed over directions
    control_penalty: float = 2e-4  # per squared control, summed over controls
    likeness_weight: float = 0.5  # of squared distances of face embeddings
    # In `multiscale_l1`. Less than in an inversion: a tuning can place detail where it belongs,
    # and need not settle for the right amount of it.
    texture_weight: float = 0.5
    detail: DetailWeights = DetailWeights()  # at full renders
    styles_step: float = 0.05  # of the quantiser
    response_step: float = 0.02
    small_step: float = 0.08  # of styles and directions of a small tuning


class LightFit(NamedTuple):
    """What was learnt of a person; styles in units of `channel_spread`.

    rows: [1 + K, num_styles], what is added to the styles, and to the effect of each of K controls;
    of a small tuning [1 + D, num_styles], with D directions in place of effects. shares: [K, D],
    what each control takes of the directions; [K, 0] where there are none. controls: [N, K], of the
    keyframes.
    """

    rows: Floats
    shares: Floats
    controls: Floats


def tune_light(
    generator: Generator,
    response: Response,
    targets: Sequence[Target],
    controls: Tensor,
    plan: LightTuningPlan,
    likeness: Likeness | None,
    progress: Progress,
) -> LightFit:
    """Return what a light or small tuning changes, and the targets' controls.

    `response` is the person before, `controls` [N, num_controls] those of the N `targets` to start
    from; they are fitted too. Without `likeness` pictures alone are compared.
    """
    spread = channel_spread(generator)
    styles = torch.zeros_like(spread, requires_grad=True)
    moved = controls.float().to(spread.device, copy=True).requires_grad_(True)
    effects, effects_penalty = _effects(response, moved.detach(), plan)
    compare = Comparison(targets, likeness, plan.likeness_weight, plan.texture_weight)
    previews = FramePreviews()
    done, total = 0, plan.steps + plan.full_steps
    stages = (
        (plan.steps, plan.coarse_size, 1.0),
        (plan.full_steps, None, FULL_RATE),
    )
    for steps, size, rate in stages:
        groups = [
            ([styles], plan.styles_rate * rate),
            *(([leaf], own * rate) for leaf, own in effects.leaves()),
            ([moved], plan.control_rate * rate),
        ]
        for _, frame in descend(groups, shuffled_rounds(len(targets)), steps, beside=previews):
            at = moved[frame]
            frame_styles = response.styles + at @ response.basis
            frame_styles = frame_styles + (styles + effects.added(at)) * spread
            if size is None:
                with cuda_ops.roughly():
                    full_render = generator.synthesize(frame_styles[None])
                loss = compare.full_loss(frame, full_render, plan.detail)
            else:
                loss = compare(frame, previews(generator, frame, frame_styles[None], size))
            loss = loss + plan.styles_penalty * styles.square().mean()
            loss = loss + effects_penalty * effects.size()
            loss = loss + plan.control_penalty * at.square().sum()
            torch.autograd.backward(loss)
            done += 1
            progress("tuning", done, total)
    with torch.no_grad():
        rows, shares = effects.scaled(moved)
        fitted = torch.cat([styles[None], rows]), shares, moved.detach()
    return LightFit(*(values.cpu().numpy() for values in fitted))


def _effects(
    response: Response, controls: Tensor, plan: LightTuningPlan
) -> tuple[ControlEffects, float]:
    """Return what controls [N, num_controls] will do, and the penalty of its size."""
    if plan.directions is None:
        return OwnEffects(response.basis, plan.response_rate), plan.response_penalty
    rates = plan.direction_rate, plan.share_rate
    shared = SharedEffects(response.basis, controls, plan.directions, rates)
    return shared, plan.direction_penalty
