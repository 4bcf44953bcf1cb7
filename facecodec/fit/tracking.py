"""Tracking: aligned frames to controls by Gauss-Newton on small pictures.

With 35 unknowns, photometric tracking is a small least-squares problem: residuals are weighted
picture differences at several scales, the Jacobian is differences of renders, small ones by pose
and wide ones by offsets, kept in a small bank by pose and corrected by Broyden's rule, and a prior
keeps the controls near what faces do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cuda_ops
from facecodec.fit.objective import Target, inner_weights, shrink
from facecodec.fit.photometric import (
    Linearisation,
    Problem,
    TrackingPlan,
    pyramid,
    pyramid_weights,
)
from facecodec.generator.base import Generator
from facecodec.generator.preview import PersonalPreview

POSE = 3
FARTHEST_STEP = 2.0  # standard deviations a control may go in one step
REACH = 12.0  # standard deviations a control may go at all: faces tear where it goes much farther
OCCLUDED = 0.3  # of their standard deviations is left to controls where the face is hidden
TRIES = 2  # lengths of a step that are tried
SETTLED = 0.05  # standard deviations: no control moved farther, and the frame is done
WORTHWHILE = 0.001  # share of the objective that a step must promise to be tried
PROMISE = 0.005  # share of the objective that a failed step must have promised to be looked into
OFFSETS = 0.2  # what a standard deviation of an offset counts beside one of pose


@dataclass
class Tracked:
    """One frame's controls [35], their information [35, 35], and the residual left (0 is equal)."""

    controls: NDArray[np.float64]
    information: NDArray[np.float64]
    residual: float


def apart(a: Tensor, b: Tensor) -> float:
    """Return how far apart two derivatives' controls [35] are, in standard deviations of pose."""
    change = a - b
    change = torch.cat([change[:POSE], OFFSETS * change[POSE:]])
    return float(change.norm())


def typical_controls(count: int, shots: int, known: Tensor | None) -> Tensor:
    """Return controls [shots, count] to fit a preview at: rest, known ones, seeded random ones."""
    noise = np.random.Generator(np.random.PCG64(0)).standard_normal((shots, count))
    noise[0] = 0.0
    drawn = torch.from_numpy(noise)
    if known is not None:
        wanted = known[: shots - 1].double().cpu()
        drawn[1 : 1 + len(wanted)] = wanted
    return drawn.float()


def per_control(pair: tuple[float, float], count: int) -> Tensor:
    """Return a value for each of `count` controls, of a pair for pose and for offsets."""
    return torch.tensor([pair[0]] * POSE + [pair[1]] * (count - POSE), dtype=torch.float64)


class Tracker:
    """Tracks one person: owns the person's styles, the basis and the Jacobian bank.

    Pictures are where the generator is, the 35 unknowns on the CPU.
    """

    def __init__(
        self,
        generator: Generator,
        basis: Tensor,
        styles: Tensor,
        plan: TrackingPlan,
        known: Tensor | None = None,
    ) -> None:
        """`styles` [num_styles] is the person at controls 0, `basis` [35, num_styles] the rig.

        `known` [K, 35] are controls the person is likely to take, for the preview to be right at.
        """
        self.basis, self.styles, self.plan = basis, styles, plan
        count = basis.shape[0]
        shots = typical_controls(count, plan.shots, known).to(basis.device)
        self.preview = PersonalPreview(generator, styles + shots @ basis, plan.size)
        self.prior = per_control(plan.prior, count)
        self.motion = per_control(plan.motion, count)
        self.bank: list[Linearisation] = []
        self.turns: list[tuple[Tensor, Tensor]] = []  # controls, derivative by pose there
        self.allowance = 0.0
        self.corrected: Tensor | None = None  # controls of the last full render
        self.renders = 0

    def render(self, controls: Tensor) -> Tensor:
        """Render controls [N, 35] to small pictures [N, 3, S, S].

        In bf16 where the processor has it: its errors are far below what a person's residual is.
        """
        self.renders += len(controls)
        with torch.no_grad(), cuda_ops.roughly():
            return self.preview(self._styles(controls))

    def _styles(self, controls: Tensor) -> Tensor:
        return self.styles + controls.float().to(self.basis.device) @ self.basis

    def _in_full(self, controls: Tensor, shown: Tensor) -> Tensor:
        """Return the pyramid of the full render at `controls` [35]; previews agree from now on.

        `shown` is the preview's pyramid there.
        """
        size = self.plan.size
        self.corrected = controls.clone()
        finest = shown[: 3 * size**2].view(1, 3, size, size)
        with torch.no_grad(), cuda_ops.roughly():
            return pyramid(self.preview.correct(self._styles(controls[None]), finest))[0]

    def linearise(self, controls: Tensor, batch: int = 7) -> Linearisation:
        """Differentiate the render at `controls` [35]: by pose, and by steps of the offsets."""
        count, step = len(controls), self.plan.step[1]
        turned, by_pose = self._by_pose(controls)
        columns = [by_pose]
        base = pyramid(self.render(controls[None]))
        for start in range(POSE, count, batch):
            index = torch.arange(start, min(start + batch, count))
            moved = controls.repeat(len(index), 1)
            moved[torch.arange(len(index)), index] += step
            columns.append((pyramid(self.render(moved)) - base) / step)
        jacobian = torch.cat(columns).T.contiguous()
        return Linearisation(controls.clone(), jacobian, turned)

    def _by_pose(self, controls: Tensor) -> tuple[Tensor, Tensor]:
        """Return a pose [3] nearby and the derivative by pose there, [3, pixels].

        By small steps to both sides: a turn by a whole standard deviation moves edges by many
        pixels, and what that changes is not in the direction of what a small turn does (yaw: their
        cosine is 0.55).
        """
        if self.turns:
            near, known = min(self.turns, key=lambda turn: apart(turn[0], controls))
            if float((near - controls)[:POSE].norm()) <= self.plan.turn:
                return near[:POSE], known
        step = self.plan.step[0]
        moved = controls.repeat(2 * POSE, 1)
        moved[:, :POSE] += step * torch.cat([torch.eye(POSE), -torch.eye(POSE)])
        shown = pyramid(self.render(moved))
        if len(self.turns) == self.plan.bank:
            self.turns.pop(0)
        self.turns.append((controls.clone(), (shown[:POSE] - shown[POSE:]) / (2 * step)))
        return controls[:POSE].clone(), self.turns[-1][1]

    def nearest(self, controls: Tensor) -> Linearisation:
        """Return the bank's nearest derivative, making a new one when all are far in pose."""
        if self.bank:
            best = min(self.bank, key=lambda entry: apart(entry.controls, controls))
            if float((best.controls - controls)[:POSE].norm()) <= self.plan.refresh:
                if float((best.turned - controls[:POSE]).norm()) > self.plan.turn:
                    best.turned, by_pose = self._by_pose(controls)
                    best.jacobian[:, :POSE] = by_pose.T
                return best
        return self._anew(controls)

    def _anew(self, controls: Tensor) -> Linearisation:
        if len(self.bank) == self.plan.bank:
            self.bank.pop(0)
        self.bank.append(self.linearise(controls))
        return self.bank[-1]

    def track(
        self,
        target: Target,
        starts: Sequence[Tensor],
        previous: Tensor | None,
        occluded: bool = False,
    ) -> Tracked:
        """Return the controls that explain one frame.

        `starts` are controls [35] of which the best is where the search begins, `previous` [35]
        the last frame's controls (None after a cut or a frame without a face). `occluded`: part of
        the face is hidden, and controls that only it would tell of are to stay where they are.
        """
        plan = self.plan
        iterations = plan.iterations if previous is not None else 3 * plan.iterations
        picture = pyramid(shrink(target.picture[None], plan.size))[0]
        weights = shrink(inner_weights(target)[None], plan.size).expand(-1, 3, -1, -1)
        free = OCCLUDED if occluded else 1.0
        problem = Problem(
            picture, pyramid_weights(weights), plan, free * self.prior, free * self.motion, previous
        )
        if previous is None:
            self.preview.forget()
            self.corrected = None
        shots = pyramid(self.render(torch.stack(list(starts))))
        costs = [problem.cost(c, shot) for c, shot in zip(starts, shots, strict=True)]
        best = min(range(len(costs)), key=lambda i: costs[i])
        controls, shown = starts[best].clone(), shots[best]
        self.allowance += plan.allowance if problem.tied else plan.cold
        for coarse, steps in ((True, max(1, iterations // 3)), (False, iterations)):
            problem.look(coarse)
            for _ in range(steps):
                moved = self._step(problem, controls, shown)
                if moved is None:
                    break
                far = float((moved[0] - controls).abs().max())
                controls, shown = moved
                if far < SETTLED:
                    break
        for _ in range(plan.full):
            if self.corrected is None or apart(self.corrected, controls) > plan.stale:
                shown = self._in_full(controls, shown)
            moved = self._step(problem, controls, shown)
            if moved is None:
                break
            controls, shown = moved
        information = problem.normal(self.nearest(controls), shown)[0]
        residual = (picture - shown).abs()
        left = float((problem.weights * residual).sum() / problem.weights.sum())
        return Tracked(controls.numpy(), information.numpy(), left)

    def _step(
        self, problem: Problem, controls: Tensor, shown: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Take one Gauss-Newton step, shortened until it helps; None when none does.

        Where a derivative from afar promised a gain that did not come, it is made anew, as often
        as the allowance lets it.
        """
        entry = self.nearest(controls)
        before = problem.cost(controls, shown)
        while True:
            information, pull = problem.normal(entry, shown)
            pull = pull - problem.slope(controls)
            delta = torch.linalg.solve(information + torch.diag(problem.stiffness), pull)
            promised = float(delta @ pull)
            if promised < WORTHWHILE * before:
                return None
            delta = delta * min(1.0, FARTHEST_STEP / max(float(delta.abs().max()), 1e-9))
            bound = controls.abs().clamp_min(REACH)  # a start that landmarks led farther may stay
            delta = torch.clamp(controls + delta, -bound, bound) - controls
            for _ in range(TRIES):
                moved = pyramid(self.render((controls + delta)[None]))[0]
                self._broyden(entry, delta, moved - shown)
                if problem.cost(controls + delta, moved) < before:
                    return controls + delta, moved
                delta = delta * 0.35
            far = apart(entry.controls, controls) > self.plan.refresh / 2
            if not far or promised < PROMISE * before or self.allowance < 1:
                return None
            self.allowance -= 1
            entry = self._anew(controls)

    @staticmethod
    def _broyden(entry: Linearisation, delta: Tensor, change: Tensor) -> None:
        """Correct a derivative so that it explains the step just seen (Broyden 1965)."""
        step = delta.float().to(change.device)
        length = float(step @ step)
        if length > 1e-4:
            error = change - entry.jacobian @ step
            entry.jacobian.addr_(error, step, alpha=0.3 / length)
