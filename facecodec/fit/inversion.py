"""Inversion: several frames of one person to one identity latent.

The latent starts as one w (StyleGAN's most editable space) and is then freed row by row under a
penalty on leaving it, while the controls of every frame explain the motion between the frames.
The penalty is strong as long as previews are compared: a row that is free there draws irises that
are right in a preview and smeared in the picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

import cuda_ops
from facecodec.checkpoint import made_once
from facecodec.fit.comparison import Comparison
from facecodec.fit.descent import WARM_UP_STEPS, descend
from facecodec.fit.detail import DetailWeights
from facecodec.fit.kept_tracking import KeptTracker
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.recovery import Recover
from facecodec.fit.response import Response
from facecodec.fit.search_space import search_space
from facecodec.fit.tracking import Tracker
from facecodec.generator.base import Generator
from facecodec.generator.preview import FramePreviews
from facecodec.progress import Progress

W_PENALTY = 1e-3  # per squared unit of the amounts along the directions
IDENTITY_INTERVAL = 4  # steps from one look at the identity frame to the next
TRACKED_STAGE = 3  # before which controls are tracked


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Largest learning rates of a stage; None: what stays as it is.

    w, rows: in units of the amounts along the directions; controls: in standard deviations.
    """

    w: float | None = None
    rows: float | None = None
    controls: float | None = None


@dataclass(frozen=True, kw_only=True)
class InversionPlan:
    """How long an inversion runs, and what holds it back."""

    w_steps: int = 70  # Adam steps of one w, on the identity frame at `w_size` pixels
    gaze_steps: int = 50  # the same at `coarse_size` pixels, where irises are seen
    w_plus_steps: int = 120  # Adam steps of W+, on all frames at `coarse_size` pixels
    full_steps: int = 100  # Adam steps of W+ after those, at full renders and the targets' own size
    w_size: int = 64  # side of the compared pictures, as is the next one
    coarse_size: int = 256
    freed_size: int | None = None  # of those of W+ before the controls are tracked; None: the same
    coarse_row_penalty: float = 0.2  # per squared unit by which a row of W+ leaves w, in previews
    row_penalty: float = 0.02  # the same in full renders
    natural_penalty: float = 0.01  # of rows beyond the spread of W, in previews
    control_penalty: float = 2e-4  # per squared standard deviation of a control
    likeness_weight: float = 0.2  # of squared distances of face embeddings, beside `multiscale_l1`
    texture_weight: float = 2.0  # in `multiscale_l1`
    detail: DetailWeights = DetailWeights()  # at full renders
    # how the controls are tracked halfway, by Gauss-Newton
    tracking: TrackingPlan = TrackingPlan(iterations=4)
    recovery: bool = True  # whether the start's `recover` is then asked for better ones
    tracks: bool = True  # whether they are at all; the steps of W+ are one stage where not
    warm_up: int = WARM_UP_STEPS  # steps in which a stage's learning rates rise
    w_rates: Rates = Rates(w=0.2)
    gaze_rates: Rates = Rates(w=0.1)
    freed_rates: Rates = Rates(w=0.1, rows=0.15, controls=0.05)
    tracked_rates: Rates = Rates(w=0.05, rows=0.2, controls=0.02)
    full_rates: Rates = Rates(rows=0.08, controls=0.02)

    @property
    def steps(self) -> int:
        """Return the number of all steps."""
        return self.w_steps + self.gaze_steps + self.w_plus_steps + self.full_steps


@dataclass(frozen=True)
class Inversion:
    """The result: identity latent [num_ws, w_dim], and the frames' controls [K, num_controls]."""

    w_plus: Tensor
    controls: Tensor


@dataclass(frozen=True)
class InversionStart:
    """Where an inversion of K frames starts.

    controls: [K, num_controls], of the frames (pose from landmarks). w: [w_dim], the mean of W
    when None. recover: may improve the controls once they have been tracked. latent: [num_ws,
    w_dim], of the person as they are known so far, to go on from; None for a stranger.
    """

    controls: Tensor
    w: Tensor | None = None
    recover: Recover | None = None
    latent: Tensor | None = None


def identity_and_others(frames: int) -> Iterator[int]:
    """Yield frame numbers without end: 0 every `IDENTITY_INTERVAL` steps, others in turn between.

    Frame 0 is the identity frame. It comes no more often, because its mouth is shut: a fit that
    sees it most of the time learns a person who does not open it.
    """
    others = itertools.cycle(range(1, frames))
    for step in itertools.count():
        yield next(others) if step % IDENTITY_INTERVAL else 0


class Inverter:
    """An inversion in progress: the parts of the latent, the controls and the targets.

    Whoever has other work to do takes `steps` as they like, on any one thread, and `result` when
    they like: what is known of the person so far.
    """

    def __init__(
        self,
        generator: Generator,
        basis: Tensor,
        targets: Sequence[Target],
        start: InversionStart,
        plan: InversionPlan,
        likeness: Likeness | None,
    ) -> None:
        """See `invert`."""
        self.recover = start.recover
        self.generator, self.basis, self.targets, self.plan = generator, basis, targets, plan
        self.centre = generator.w_mean if start.w is None else start.w
        self.directions, self.naturalness = search_space(generator)
        width = generator.w_dim
        device = generator.w_mean.device
        self.w = torch.zeros(width, device=device)
        self.rows = torch.zeros(generator.num_ws, width, device=device)
        if start.latent is not None:
            amounts = (start.latent.to(device) - self.centre) @ torch.linalg.inv(self.directions)
            self.w = amounts.mean(0)
            self.rows = amounts - self.w
        self.w.requires_grad_(True)
        self.rows.requires_grad_(True)
        self.controls = start.controls.clone().requires_grad_(True)
        self.compare = Comparison(targets, likeness, plan.likeness_weight, plan.texture_weight)
        self.previews = FramePreviews()

    def w_plus(self) -> Tensor:
        """Return the current latent, [num_ws, w_dim]."""
        return self.centre + (self.w + self.rows) @ self.directions

    def loss(self, frame: int, size: int, use_embedding: bool) -> Tensor:
        """Return the loss [] of one frame's render at `size` pixels."""
        styles = self.generator.styles(self.w_plus()[None]) + self.controls[frame] @ self.basis
        if not use_embedding:
            with cuda_ops.roughly():
                return self.compare(frame, self.generator.preview(styles, size), use_embedding)
        return self.compare(frame, self.previews(self.generator, frame, styles, size))

    def full_loss(self, frame: int) -> Tensor:
        """Return the loss [] of one frame's full render."""
        styles = self.generator.styles(self.w_plus()[None]) + self.controls[frame] @ self.basis
        with cuda_ops.roughly():
            full_render = self.generator.synthesize(styles)
        return self.compare.full_loss(frame, full_render, self.plan.detail)

    def steps(self) -> Iterator[tuple[int, int]]:
        """Take the plan's steps; yield after each how many there have been, and their number.

        Tracking, where the plan has it, goes with the step after it.
        """
        plan = self.plan
        apart = plan.tracks and len(self.targets) > 1
        before = plan.w_plus_steps // 2 if plan.tracks else plan.w_plus_steps
        stages = (
            (plan.w_steps, plan.w_size, plan.w_rates),
            (plan.gaze_steps, plan.coarse_size, plan.gaze_rates),
            (before, plan.freed_size or plan.coarse_size, plan.freed_rates),
            (plan.w_plus_steps - before, plan.coarse_size, plan.tracked_rates),
            (plan.full_steps, None, plan.full_rates),
        )
        done = 0
        for number, stage in enumerate(stages):
            if number == TRACKED_STAGE and apart:
                tracked = made_once("tracked", self.track)
                self.controls.data.copy_(torch.as_tensor(tracked))
            for taken in self.run(*stage):
                yield done + taken, plan.steps
            done += stage[0]

    def run(self, steps: int, size: int | None, rates: Rates) -> Iterator[int]:
        """Take Adam steps at renders of `size` pixels, at full ones for None.

        Yields after each how many have been taken.
        """
        moved = {name: rate for name, rate in vars(rates).items() if rate is not None}
        groups = [([getattr(self, name)], rate) for name, rate in moved.items()]
        plan, frames = self.plan, len(self.targets)
        freed = "rows" in moved
        order = itertools.repeat(0) if not freed or frames == 1 else identity_and_others(frames)
        step = None
        for step, frame in descend(groups, order, steps, plan.warm_up, beside=self.previews):
            if step:  # the one before has been taken now
                yield step
            fit = self.full_loss(frame) if size is None else self.loss(frame, size, freed)
            loss = fit + W_PENALTY * self.w.square().mean()
            if size is not None:
                loss = loss + plan.natural_penalty * self.naturalness.excess(self.w_plus())
            if freed:
                penalty = plan.row_penalty if size is None else plan.coarse_row_penalty
                loss = loss + penalty * self.rows.square().mean()
            if "controls" in moved:
                loss = loss + plan.control_penalty * self.controls.square().sum(1).mean()
            torch.autograd.backward(loss)
            if self.controls.grad is not None:
                self.controls.grad[0] = 0  # controls 0 mean the person as this frame shows it
        if step is not None:
            yield step + 1

    def result(self) -> Inversion:
        """Return the latent and the controls as they are now, in memory of their own."""
        return Inversion(self.w_plus().detach().clone(), self.controls.detach().clone())

    def track(self) -> Tensor:
        """Replace the controls of all frames but the first by tracked ones; return them [K, K']."""
        with torch.no_grad():
            styles = self.generator.styles(self.w_plus()[None])[0]
            tracker = KeptTracker(
                Tracker(self.generator, self.basis, styles, self.plan.tracking, self.controls)
            )
            for frame, target in enumerate(self.targets[1:], 1):
                start = self.controls[frame].double().cpu()
                tracked = tracker.track(target, [start], None)
                self.controls[frame] = torch.from_numpy(tracked.controls).float()
            if self.recover and self.plan.recovery:
                person = Response(styles, self.basis)
                recovered = self.recover(tracker, person, self.controls.detach())
                self.controls[1:] = recovered[1:]
            return self.controls.detach().clone()


def invert(
    generator: Generator,
    basis: Tensor,
    targets: Sequence[Target],
    start: InversionStart,
    plan: InversionPlan,
    likeness: Likeness | None,
    progress: Progress,
) -> Inversion:
    """Fit one identity latent to several aligned frames; `targets[0]` is the identity frame.

    `basis` [num_controls, num_styles] is the rig's effect on the styles. The identity frame keeps
    the controls that it starts with, so that controls 0 mean the person as it looks there. Without
    `likeness` pictures alone are compared.
    """
    fit = Inverter(generator, basis, targets, start, plan, likeness)
    for done, total in fit.steps():
        progress("inversion", done, total)
    return fit.result()
