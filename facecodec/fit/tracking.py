"""Tracking: aligned frames to controls, by Gauss-Newton on small pictures.

With a few dozen unknowns, photometric tracking is a small least-squares problem. Residuals are
weighted picture differences at several scales. The Jacobian is made of differences of renders:
central ones by pose, wide forward ones by offsets. Jacobians are kept in a small bank by pose and
updated by Broyden's rule, and a prior keeps the controls near what faces do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cuda_ops
from facecodec.checkpoint import State
from facecodec.fit.controls import per_control, pose_distance, tensor, typical_controls
from facecodec.fit.derivatives import DerivativeBank
from facecodec.fit.objective import Target, inner_weights, shrink, weight_map
from facecodec.fit.photometric import Problem, Traced, TrackingPlan, pyramid, pyramid_weights
from facecodec.fit.preparation import Preparation, personal_preview
from facecodec.generator.base import Generator
from facecodec.types import Landmarks

# In standard deviations of a control:
LARGEST_STEP = 2.0  # that a control moves in one Gauss-Newton step
CONTROL_LIMIT = 12.0  # that a control may reach: faces tear where it goes much farther
SMALLEST_STEP = 0.05  # no control moved farther: the frame is done
OCCLUDED_SPREAD = 0.3  # factor on the controls' standard deviations where the face is occluded

COLD_ITERATIONS = 3  # times as many iterations where no previous frame is known
COARSE_PART = 3  # one iteration in three, the first ones, gives the finest octave little weight

# A step that does not lower the objective is tried again, shortened.
STEP_LENGTHS = 2
SHORTENING = 0.35
# Shares of the objective by which a step must be predicted to lower it: to be tried at all, and to
# have its derivative recomputed where it did not.
LEAST_GAIN = 0.001
LEAST_GAIN_TO_RECOMPUTE = 0.005
# A derivative closer than this share of the plan's `refresh` is not to blame for a failed step.
BLAMELESS_DISTANCE = 0.5


@dataclass
class Tracked:
    """What tracking one frame gives."""

    controls: NDArray[np.float64]  # [num_controls], in standard deviations
    information: NDArray[np.float64]  # normal matrix [num_controls, num_controls] of the picture
    residual: float  # weighted mean absolute picture difference, of a range of 2


class Tracker:
    """Tracks one person: owns the person's styles, the basis and the bank of Jacobians.

    Pictures are on the generator's device, the controls and their equations on the CPU.
    """

    def __init__(
        self,
        generator: Generator,
        basis: Tensor,
        styles: Tensor,
        plan: TrackingPlan,
        known: Tensor | None = None,
        preparation: Preparation | None = None,
        landmarks: Landmarks | None = None,
    ) -> None:
        """`styles` [num_styles] is the person at controls 0, `basis` [num_controls, num_styles].

        `known` [K, num_controls] are controls the person is likely to take, at which previews are
        to be exact. `preparation`: what another tracker of this person has learnt. `landmarks`
        [68, 2]: where they lie at controls 0, in sides of the square; short previews are nearest
        there.
        """
        self.basis, self.styles, self.plan = basis, styles, plan
        count = basis.shape[0]
        controls = typical_controls(count, plan.preview_renders, known).to(basis.device)
        if preparation is None:
            self.preview = personal_preview(generator, styles + controls @ basis, plan, landmarks)
        else:
            self.preview = preparation.preview(generator, plan.size)
        self.prior = per_control(plan.prior, count)
        self.motion = per_control(plan.motion, count)
        self.derivatives = DerivativeBank(self.render, count, plan)
        if preparation is not None:
            self.derivatives.take(preparation.derivative)
        self.recomputations = 0.0  # that are left, see the plan
        self.corrected: Tensor | None = None  # controls of the last full render
        self.last: tuple[Tensor, Tensor] | None = None  # the last frame's controls and pyramid
        self.renders = 0
        self.failures: int | None = None  # of fast tracking, which this is not

    def state(self) -> State:
        """Return what changes from frame to frame."""
        return {
            "error": self.preview.error,
            "derivatives": self.derivatives.state(),
            "recomputations": self.recomputations,
            "corrected": self.corrected,
            "last": self.last,
        }

    def restore(self, state: State) -> None:
        """Go on where a tracker of this person was when it returned `state`."""
        device = self.basis.device
        self.preview.error = tensor(state["error"]).to(device)
        self.derivatives.restore(state["derivatives"], device)
        self.recomputations = state["recomputations"]
        corrected, last = state["corrected"], state["last"]
        self.corrected = None if corrected is None else tensor(corrected)
        self.last = None if last is None else (tensor(last[0]), tensor(last[1]).to(device))

    def render(self, controls: Tensor) -> Tensor:
        """Render controls [N, num_controls] to small pictures [N, 3, S, S].

        In bf16 where the processor has it: its errors are far below what a person's residual is.
        """
        self.renders += len(controls)
        with torch.no_grad(), cuda_ops.roughly():
            return self.preview(self._styles(controls))

    def traced(self, controls: Tensor) -> Traced:
        """Render controls [num_controls] so that their exact slope can be asked for afterwards."""
        self.renders += 1
        moving = controls.float().to(self.basis.device).requires_grad_()
        with torch.enable_grad(), cuda_ops.roughly():
            values = pyramid(self.preview((self.styles + moving @ self.basis)[None]))[0]
        return Traced(moving, values)

    def _styles(self, controls: Tensor) -> Tensor:
        """Return the styles [N, num_styles] at controls [N, num_controls]."""
        return self.styles + controls.float().to(self.basis.device) @ self.basis

    def _render_in_full(self, controls: Tensor, preview: Tensor) -> Tensor:
        """Return the pyramid [values] of the full render at `controls` [num_controls].

        Later previews are corrected by how it differs from `preview` [values], the pyramid of
        the preview at the same controls.
        """
        size = self.plan.size
        self.corrected = controls.clone()
        finest = preview[: 3 * size**2].view(1, 3, size, size)
        with torch.no_grad(), cuda_ops.roughly():
            return pyramid(self.preview.correct(self._styles(controls[None]), finest))[0]

    def track(
        self,
        target: Target,
        starts: Sequence[Tensor],
        previous: Tensor | None,
        occluded: bool = False,
    ) -> Tracked:
        """Return the controls that explain one frame.

        The search starts at the best of `starts`, controls [num_controls] each. `previous`
        [num_controls] are the last frame's controls, None after a cut or a frame without a face.
        `occluded`: part of the face is hidden, and controls that only it could show are to stay
        where they are.
        """
        plan = self.plan
        iterations = plan.iterations if previous is not None else COLD_ITERATIONS * plan.iterations
        picture = pyramid(shrink(target.picture[None], plan.size))[0]
        problem = self.problem(target, picture, previous, occluded)
        if previous is None:
            self.preview.forget()
            self.corrected = None
        renders = pyramid(self.render(torch.stack(list(starts))))
        costs = [problem.cost(c, render) for c, render in zip(starts, renders, strict=True)]
        best = min(range(len(costs)), key=lambda i: costs[i])
        controls, render = starts[best].clone(), renders[best]
        self.recomputations += (
            plan.recomputations if problem.has_previous else plan.cold_recomputations
        )
        controls, render = self._descend(problem, controls, render, iterations)
        for _ in range(plan.full_iterations):
            last = self.corrected
            if last is None or pose_distance(last, controls) > plan.full_refresh:
                render = self._render_in_full(controls, render)
            moved = self.step(problem, controls, render)
            if moved is None:
                break
            controls, render = moved
        self.last = controls, render
        return self.result(problem, controls, render)

    def result(self, problem: Problem, controls: Tensor, render: Tensor) -> Tracked:
        """Return what tracking gives where it ends at controls [K] and their pyramid [values]."""
        information = problem.normal_equations(self.derivatives.nearest(controls), render)[0]
        return Tracked(controls.numpy(), information.numpy(), problem.residual(render))

    def information_at_rest(self, landmarks: Landmarks | None) -> NDArray[np.float64]:
        """Return what a picture of the person at controls 0 says of the controls, [K, K].

        landmarks [68, 2]: theirs there, in sides of the square; None: all pixels count alike.
        """
        rest = torch.zeros(len(self.basis), dtype=torch.float64)
        picture = self.render(rest[None])[0]
        weights = weight_map(landmarks, self.plan.size).to(picture.device)
        shown = pyramid(picture[None])[0]
        problem = self.problem(Target(picture, weights, landmarks), shown, None, False)
        return self.result(problem, rest, shown).information

    def problem(
        self, target: Target, picture: Tensor, previous: Tensor | None, occluded: bool
    ) -> Problem:
        """Return the least squares of a target whose pyramid is `picture` [values]."""
        weights = shrink(inner_weights(target)[None], self.plan.size).expand(-1, 3, -1, -1)
        spread = OCCLUDED_SPREAD if occluded else 1.0
        return Problem(
            picture,
            pyramid_weights(weights),
            self.plan,
            spread * self.prior,
            spread * self.motion,
            previous,
        )

    def _descend(
        self, problem: Problem, controls: Tensor, render: Tensor, iterations: int
    ) -> tuple[Tensor, Tensor]:
        """Return controls [num_controls] and their pyramid [values] after steps on previews."""
        for coarse, steps in ((True, max(1, iterations // COARSE_PART)), (False, iterations)):
            problem.use_scale(coarse)
            for _ in range(steps):
                moved = self.step(problem, controls, render)
                if moved is None:
                    break
                largest = float((moved[0] - controls).abs().max())
                controls, render = moved
                if largest < SMALLEST_STEP:
                    break
        return controls, render

    def step(
        self, problem: Problem, controls: Tensor, render: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Take one Gauss-Newton step from controls [num_controls], whose pyramid is `render`.

        Returns the new controls [num_controls] and pyramid [values]. The step is shortened until
        it lowers the objective; None when no length does. Where a derivative from a distant pose
        predicted a gain that did not come, it is recomputed, as often as the budget allows.
        """
        entry = self.derivatives.nearest(controls)
        before = problem.cost(controls, render)
        while True:
            information, right_side = problem.normal_equations(entry, render)
            right_side = right_side - problem.prior_slope(controls)
            delta = torch.linalg.solve(information + torch.diag(problem.stiffness), right_side)
            predicted = float(delta @ right_side)
            if predicted < LEAST_GAIN * before:
                return None
            delta = delta * min(1.0, LARGEST_STEP / max(float(delta.abs().max()), 1e-9))
            # a start that landmarks moved beyond the limit may stay there
            bound = controls.abs().clamp_min(CONTROL_LIMIT)
            delta = torch.clamp(controls + delta, -bound, bound) - controls
            for _ in range(STEP_LENGTHS):
                moved = pyramid(self.render((controls + delta)[None]))[0]
                entry.correct(delta, moved - render)
                if problem.cost(controls + delta, moved) < before:
                    return controls + delta, moved
                delta = delta * SHORTENING
            distance = pose_distance(entry.controls, controls)
            near = distance <= BLAMELESS_DISTANCE * self.plan.refresh
            hopeless = predicted < LEAST_GAIN_TO_RECOMPUTE * before
            if near or hopeless or self.recomputations < 1:
                return None
            self.recomputations -= 1
            entry = self.derivatives.recompute(controls)
