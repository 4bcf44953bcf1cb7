"""Inversion: several frames of one person to one identity latent.

The latent starts as one w (StyleGAN's most editable space) and is then freed row by row under a
penalty for leaving it, while the controls of every frame explain the motion between the frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

import cuda_ops
from facecodec.fit.comparison import Comparison
from facecodec.fit.descent import descend
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target
from facecodec.fit.recovery import Recover
from facecodec.fit.response import Response
from facecodec.fit.tracking import Tracker, TrackingPlan
from facecodec.generator.base import Generator
from facecodec.generator.preview import FramePreviews
from facecodec.generator.sampling import draw_latents
from facecodec.progress import Progress

WHITENING = 0.7  # 0: W as it is, 1: every principal direction of W alike
W_PRIOR = 1e-3
SAMPLES = 4000
OFTEN = 4  # every so many steps the identity frame


@dataclass(frozen=True)
class InversionPlan:
    """How long and how freely an inversion runs.

    `w_steps` of one w on the identity frame at `first` pixels, `plus_steps` of W+ on all frames
    at `coarse` and `fine_steps` at `fine` pixels. `spread` is the penalty on rows leaving w,
    `calm` the penalty on controls, both per squared unit; `likeness` weighs the squared distance
    of face embeddings against the mean absolute difference of pictures, and `texture` that of
    texture. Halfway, the controls
    are tracked anew by Gauss-Newton, `tracking` saying how.
    """

    w_steps: int = 70
    plus_steps: int = 160
    fine_steps: int = 160
    first: int = 64
    coarse: int = 128
    fine: int = 256
    spread: float = 0.02
    calm: float = 2e-4
    likeness: float = 0.2
    texture: float = 2.0
    tracking: TrackingPlan = TrackingPlan(iterations=4)


@dataclass(frozen=True)
class Inversion:
    """The person, W+ [num_ws, 512], and the controls [frames, 35] of the frames it came from."""

    w_plus: Tensor
    controls: Tensor


def principal_directions(generator: Generator) -> Tensor:
    """Return directions [512, 512] of W, stretched by a power of the spread along them.

    W is far longer along some directions than along others; steps of one size along these rows
    reach a face in a third fewer than steps along the coordinates.
    """
    samples = draw_latents(generator, SAMPLES, seed=0, truncation=1.0) - generator.w_mean
    _, stretch, directions = torch.linalg.svd(samples, full_matrices=False)
    scaled = (stretch / SAMPLES**0.5).clamp_min(1e-3) ** WHITENING
    matrix = scaled[:, None] * directions
    return matrix * (0.5 / matrix.square().sum(0).mean().sqrt())


def identity_and_others(frames: int) -> Iterator[int]:
    """Yield frame numbers without end: 0 every `OFTEN` steps, the others in turn between.

    The identity frame has its mouth shut: what counts much more than others is all that is learnt.
    """
    others = itertools.cycle(range(1, frames))
    for step in itertools.count():
        yield next(others) if step % OFTEN else 0


class Inverter:
    """One inversion under way: the latent's parts, the controls, and what they are fitted to."""

    def __init__(
        self,
        generator: Generator,
        basis: Tensor,
        targets: Sequence[Target],
        first_controls: Tensor,
        plan: InversionPlan,
        likeness: Likeness | None,
        first_w: Tensor | None,
        recover: Recover | None,
    ) -> None:
        self.recover = recover
        self.generator, self.basis, self.targets, self.plan = generator, basis, targets, plan
        self.centre = generator.w_mean if first_w is None else first_w
        self.directions = principal_directions(generator)
        width = generator.w_dim
        device = generator.w_mean.device
        self.w = torch.zeros(width, requires_grad=True, device=device)
        self.rows = torch.zeros(generator.num_ws, width, requires_grad=True, device=device)
        self.controls = first_controls.clone().requires_grad_(True)
        self.compare = Comparison(targets, likeness, plan.likeness, plan.texture)
        self.previews = FramePreviews(plan.fine)

    def w_plus(self) -> Tensor:
        """Return the latent as it stands, [num_ws, 512]."""
        return self.centre + (self.w + self.rows) @ self.directions

    def loss(self, frame: int, size: int, like: bool) -> Tensor:
        """Return how far the render of one frame is from its target."""
        styles = self.generator.styles(self.w_plus()[None]) + self.controls[frame] @ self.basis
        if not like:
            with cuda_ops.roughly():
                return self.compare(frame, self.generator.preview(styles, size), like)
        loss = self.compare(frame, self.previews(self.generator, frame, styles, size))
        return loss + self.compare.in_full(frame, self.previews.full)

    def run(self, steps: int, size: int, rates: dict[str, float], progress: Progress) -> None:
        """Take Adam steps; `rates` names what may move and how fast."""
        groups = [([getattr(self, name)], rate) for name, rate in rates.items()]
        plan, frames = self.plan, len(self.targets)
        alone = "rows" not in rates or frames == 1
        order = itertools.repeat(0) if alone else identity_and_others(frames)
        for step, frame in descend(groups, order, steps):
            loss = self.loss(frame, size, "rows" in rates) + W_PRIOR * self.w.square().mean()
            if "rows" in rates:
                loss = loss + plan.spread * self.rows.square().mean()
            if "controls" in rates:
                loss = loss + plan.calm * self.controls.square().sum(1).mean()
            loss.backward()
            if self.controls.grad is not None:
                self.controls.grad[0] = 0  # controls 0 mean the person as this frame shows it
            progress("inversion", step + 1, steps)

    def track(self) -> None:
        """Replace the controls of all frames but the first by tracked ones."""
        with torch.no_grad():
            styles = self.generator.styles(self.w_plus()[None])[0]
            tracker = Tracker(self.generator, self.basis, styles, self.plan.tracking, self.controls)
            for frame, target in enumerate(self.targets[1:], 1):
                start = self.controls[frame].double().cpu()
                found = tracker.track(target, [start], None)
                self.controls[frame] = torch.from_numpy(found.controls).float()
            if self.recover:
                now = Response(styles, self.basis)
                better = self.recover(tracker, now, self.controls.detach())
                self.controls[1:] = better[1:]


def invert(
    generator: Generator,
    basis: Tensor,
    targets: Sequence[Target],
    first_controls: Tensor,
    plan: InversionPlan,
    likeness: Likeness | None,
    progress: Progress,
    first_w: Tensor | None = None,
    recover: Recover | None = None,
) -> Inversion:
    """Fit one identity latent to several aligned frames; `targets[0]` is the identity frame.

    `basis` [35, num_styles] is the rig's effect on the styles and `first_controls` [frames, 35]
    where the controls start (pose from landmarks). The identity frame keeps its start, so that
    controls 0 mean the person as it looks there. Without `likeness` pictures alone are compared.
    `first_w` [512] is where the search begins, the mean of W when None. `recover` is asked for
    better controls when they have been tracked anew.
    """
    fit = Inverter(generator, basis, targets, first_controls, plan, likeness, first_w, recover)
    total, done = plan.w_steps + plan.plus_steps + plan.fine_steps, 0

    def run(steps: int, size: int, **rates: float) -> None:
        nonlocal done
        fit.run(steps, size, rates, lambda name, step, _: progress(name, done + step, total))
        done += steps

    run(plan.w_steps, plan.first, w=0.2)
    run(plan.plus_steps // 2, plan.coarse, w=0.1, rows=0.15, controls=0.05)
    if len(targets) > 1:
        fit.track()
    run(plan.plus_steps - plan.plus_steps // 2, plan.coarse, w=0.05, rows=0.2, controls=0.02)
    run(plan.fine_steps, plan.fine, rows=0.08, controls=0.02)
    return Inversion(fit.w_plus().detach(), fit.controls.detach())
