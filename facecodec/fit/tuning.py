"""Tuning: what a generator gets wrong about one person, learnt from several of their frames.

Pivotal tuning (Roich et al. 2021, arXiv 2106.05744) changes the weights of the network. Here the
network stays, and two other things that are linear in StyleSpace change: the person's own styles,
freed from what a W+ code can say, and the response of the styles to each control, which the rig
gives as one channel and a face as a little of many. Both stay close to where they began, so a
tuned person still answers to another's motion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.fit.comparison import Comparison
from facecodec.fit.descent import descend, in_turn
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target
from facecodec.fit.recovery import Recover
from facecodec.fit.response import Response, channel_spread, tuned
from facecodec.fit.tracking import Tracker, TrackingPlan
from facecodec.generator.base import Generator
from facecodec.generator.preview import FramePreviews
from facecodec.progress import Progress


@dataclass(frozen=True)
class TuningPlan:
    """How long and how freely a tuning runs.

    `rounds` of `steps` Adam steps at `coarse` pixels, between which the controls of all keyframes
    are tracked anew, then `fine_steps` at `fine` pixels. `styles_rate` and
    `response_rate` are learning rates in units of a channel's spread, `styles_calm` and
    `response_calm` the penalties on their squares; `likeness` and `texture` as in an inversion: a
    tuning can place detail where it belongs, and need not settle for its amount.
    """

    keyframes: int = 24
    rounds: int = 2
    steps: int = 180
    fine_steps: int = 300
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
    tracking: TrackingPlan,
    likeness: Likeness | None,
    progress: Progress,
    recover: Recover | None = None,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return the values [36, num_styles] of a tuning, and the targets' controls under it.

    `controls` [frames, 35] are where the targets' controls start; they are fitted along. `recover`
    is asked for better ones whenever they have been tracked anew.
    """
    tuner = _Tuner(generator, response, targets, controls, plan, tracking, likeness, recover)
    return tuner.run(progress)


class _Tuner:
    def __init__(
        self,
        generator: Generator,
        response: Response,
        targets: Sequence[Target],
        controls: Tensor,
        plan: TuningPlan,
        tracking: TrackingPlan,
        likeness: Likeness | None,
        recover: Recover | None,
    ) -> None:
        self.generator, self.response, self.targets = generator, response, targets
        self.plan, self.tracking, self.recover = plan, tracking, recover
        self.spread = channel_spread(generator)
        self.values = self.spread.new_zeros(1 + len(response.basis), generator.num_styles)
        self.controls = controls.clone().float().to(self.spread.device)
        self.compare = Comparison(targets, likeness, plan.likeness, plan.texture)

    def run(self, progress: Progress) -> tuple[NDArray[np.float32], Tensor]:
        plan = self.plan
        total, done = plan.rounds * plan.steps + plan.fine_steps, 0
        stages = [(plan.steps, plan.coarse, 0.75**i) for i in range(plan.rounds)]
        for i, (steps, size, rate) in enumerate([*stages, (plan.fine_steps, plan.fine, 0.5)]):
            if 0 < i < plan.rounds:
                self._track()
            for _ in self._adam(steps, size, rate):
                done += 1
                progress("tuning", done, total)
        return self.values.cpu().numpy(), self.controls

    def _adam(self, steps: int, size: int, rate: float) -> Iterator[None]:
        plan = self.plan
        styles = self.values[0].clone().requires_grad_(True)
        responses = self.values[1:].clone().requires_grad_(True)
        controls = self.controls.clone().requires_grad_(True)
        groups = [
            ([styles], plan.styles_rate * rate),
            ([responses], plan.response_rate * rate),
            ([controls], plan.control_rate * rate),
        ]
        previews = FramePreviews(plan.fine)
        for _, frame in descend(groups, in_turn(len(self.targets)), steps):
            basis = self.response.basis + responses * self.spread
            shown = self.response.styles + styles * self.spread + controls[frame] @ basis
            loss = self.compare(frame, previews(self.generator, frame, shown[None], size))
            loss = loss + self.compare.in_full(frame, previews.full)
            loss = loss + plan.styles_calm * styles.square().mean()
            loss = loss + plan.response_calm * responses.square().sum(1).mean()
            loss = loss + plan.control_calm * controls[frame].square().sum()
            loss.backward()
            yield
        self.values = torch.cat([styles[None], responses]).detach()
        self.controls = controls.detach()

    def _track(self) -> None:
        now = tuned(self.response, self.values.cpu().numpy(), self.spread)
        tracker = Tracker(self.generator, now.basis, now.styles, self.tracking, self.controls)
        for frame, target in enumerate(self.targets):
            found = tracker.track(target, [self.controls[frame].double().cpu()], None)
            self.controls[frame] = torch.from_numpy(found.controls).float()
        if self.recover:
            self.controls = self.recover(tracker, now, self.controls)
