"""One frame's least squares: weighted differences at several scales, and priors on controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import cuda_ops

SCALES = 3  # octaves of resolution that are compared
# Sum of a frame's pixel weights: how many independent observations a picture counts as, beside
# the priors, each of which counts as one.
OBSERVATIONS = 1e4
# Broyden's update is damped: the picture is not linear, and a full one would follow its noise.
BROYDEN_DAMPING = 0.3
LEAST_BROYDEN_STEP = 1e-4  # squared length below which a step says too little for an update
COARSE_FINEST_WEIGHT = 0.1  # share of its weight that the finest octave keeps in coarse steps


@dataclass(frozen=True, kw_only=True)
class TrackingPlan:
    """How a frame is tracked. Pairs are one value for pose and one for offsets.

    Controls and distances of pose are in standard deviations of a control.
    """

    size: int = 128  # side in pixels of the compared pictures
    # Gauss-Newton steps on previews, at most: three times as many after a cut. With 3, lids that
    # close within two frames stayed half open; most frames need fewer than 6.
    iterations: int = 6
    full_iterations: int = 1  # further steps from full renders, which also correct later previews
    full_refresh: float = 0.5  # the last full render serves up to this distance of pose
    noise: float = 0.25  # picture difference, of a range of 2, that is one standard deviation
    outlier: float = 0.4  # far larger differences are taken for occlusion, and count less
    prior: tuple[float, float] = (3.0, 3.0)  # standard deviations of the controls around 0
    motion: tuple[float, float] = (1.0, 1.5)  # the same, from one frame to the next
    # of the differences that stand for derivatives: central by pose, forward by offsets, which
    # have to see as far as expressions go
    step: tuple[float, float] = (0.2, 1.0)
    refresh: float = 1.2  # a derivative serves up to this distance of pose
    pose_refresh: float = 0.4  # its columns by pose serve up to this one
    bank_size: int = 32  # derivatives that are kept
    # A derivative may be recomputed where a step fails: a budget to which every frame adds,
    # and one without a previous frame adds more.
    recomputations: float = 0.02
    cold_recomputations: float = 1.0
    preview_renders: int = 12  # full renders that the person's previews are corrected by
    # Whether previews stop in the middle of the network (short_preview.py), where it has one. They
    # are fitted to `preview_renders`, some dozens, which pays where more frames than that follow.
    short_previews: bool = False
    # Renders at random controls from which one derivative is made beforehand, and none later;
    # None: derivatives are computed where they are needed.
    prepared_renders: int | None = None
    # Steps that heed landmarks and picture at once (fast_tracking.py); None: Gauss-Newton alone.
    guided_steps: int | None = None


@dataclass
class Linearisation:
    """The derivative of the pyramid, `jacobian` [values, num_controls], at `controls`.

    `controls` [num_controls]. Its columns by pose were measured at another pose, `pose` [3].
    """

    controls: Tensor
    jacobian: Tensor
    pose: Tensor

    def correct(self, delta: Tensor, change: Tensor) -> None:
        """Correct it by a step `delta` [num_controls] that changed the pyramid [values].

        Broyden 1965, A class of methods for solving nonlinear simultaneous equations.
        """
        step = delta.float().to(change.device)
        length = float(step @ step)
        if length > LEAST_BROYDEN_STEP:
            error = change - self.jacobian @ step
            self.jacobian.addr_(error, step, alpha=BROYDEN_DAMPING / length)

    def correct_slope(self, weighted: Tensor, slope: Tensor) -> None:
        """Correct it so that its transpose takes `weighted` [values] to `slope` [num_controls].

        Schlenkrich, Griewank and Walther 2010, On the local convergence of adjoint Broyden methods.
        """
        length = float(weighted @ weighted)
        if length > 0.0:
            error = slope.to(self.jacobian) - self.jacobian.T @ weighted
            self.jacobian.addr_(weighted, error, alpha=1 / length)


class Traced(NamedTuple):
    """A render with the graph back to its controls [num_controls]; `values`: its pyramid."""

    controls: Tensor
    values: Tensor

    @property
    def picture(self) -> Tensor:
        """The pyramid [values] alone."""
        return self.values.detach()

    def slope(self, weighted: Tensor) -> Tensor:
        """Return the exact derivative, transposed, times `weighted` [values]: [num_controls].

        Once for a render: what it takes is let go.
        """
        with cuda_ops.roughly():
            return torch.autograd.grad(self.values, self.controls, weighted)[0]


def pyramid(pictures: Tensor) -> Tensor:
    """Return pictures [N, C, S, S] and their halves as vectors [N, values], finest first."""
    parts = []
    for _ in range(SCALES):
        parts.append(pictures.flatten(1))
        pictures = F.avg_pool2d(pictures, 2)
    return torch.cat(parts, 1)


def pyramid_values(size: int) -> int:
    """Return the number of values in the pyramid of a colour picture of `size` pixels a side."""
    return sum(3 * (size >> level) ** 2 for level in range(SCALES))


def pyramid_weights(weights: Tensor) -> Tensor:
    """Return the weights [values] of a pyramid, from those of its picture, [1, C, S, S].

    A coarse pixel weighs as much as the four finer ones it stands for: all octaves count alike.
    """
    parts = []
    for level in range(SCALES):
        parts.append(weights.flatten() * 4.0**level)
        weights = F.avg_pool2d(weights, 2)
    return torch.cat(parts)


class Problem:
    """One frame's least squares: its picture, robust weights, and the priors on the controls."""

    def __init__(
        self,
        picture: Tensor,
        weights: Tensor,
        plan: TrackingPlan,
        prior: Tensor,
        motion: Tensor,
        previous: Tensor | None,
    ) -> None:
        """`picture` and `weights` [values] are pyramids.

        `prior` and `motion` [num_controls] are the standard deviations of the controls around 0
        and around `previous` [num_controls], the last frame's; None without a last frame.
        """
        self.picture, self.plan = picture, plan
        self.prior_precision = 1 / prior**2
        self.motion_precision = torch.zeros_like(prior) if previous is None else 1 / motion**2
        self.previous = torch.zeros_like(prior) if previous is None else previous
        self.has_previous = previous is not None
        self.stiffness = self.prior_precision + self.motion_precision
        self.fine_weights = weights * (OBSERVATIONS / float(weights.sum()))
        self.weights = self.fine_weights
        self._finest = 3 * plan.size**2  # values of the finest octave, which come first

    def use_scale(self, coarse: bool) -> None:
        """Let the finest octave count little (`coarse`, for the first steps), or fully."""
        self.weights = self.fine_weights
        if coarse:
            self.weights = self.fine_weights.clone()
            self.weights[: self._finest] *= COARSE_FINEST_WEIGHT

    def robust(self, render: Tensor) -> tuple[Tensor, Tensor]:
        """Return squared differences in units of the outlier scale, and robust weights, [values].

        `render` [values] is the pyramid of a render. The loss is Cauchy's, so that a hand across
        the face has little influence.
        """
        squared = ((self.picture - render) / self.plan.outlier).square()
        return squared, self.weights / (1 + squared)

    def cost(self, controls: Tensor, render: Tensor) -> float:
        """Return the objective at controls [num_controls] and the pyramid [values] they render."""
        squared, _ = self.robust(render)
        scale = (self.plan.outlier / self.plan.noise) ** 2
        data = scale * float((self.weights * torch.log1p(squared)).sum())
        around_zero = self.prior_precision * controls**2
        around_previous = self.motion_precision * (controls - self.previous) ** 2
        return data + float((around_zero + around_previous).sum())

    def normal_equations(self, entry: Linearisation, render: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normal matrix [num_controls, num_controls] and right side of the picture.

        The right side [num_controls] is minus half the gradient. Priors are in neither; both are
        on the CPU. `render` [values] is the pyramid at the current controls.
        """
        _, robust = self.robust(render)
        weighted = entry.jacobian * (robust / self.plan.noise**2)[:, None]
        right_side = weighted.T @ (self.picture - render)
        return (entry.jacobian.T @ weighted).double().cpu(), right_side.double().cpu()

    def weighted(self, render: Tensor) -> Tensor:
        """Return weighted differences [values], of which the derivative makes the right side."""
        _, robust = self.robust(render)
        return (self.picture - render) * (robust / self.plan.noise**2)

    def slope(self, entry: Linearisation, render: Tensor) -> Tensor:
        """Return the right side alone of `normal_equations`, [num_controls]."""
        return (entry.jacobian.T @ self.weighted(render)).double().cpu()

    def residual(self, render: Tensor) -> float:
        """Return the weighted mean absolute difference from a pyramid [values], of 2."""
        difference = (self.picture - render).abs()
        return float((self.weights * difference).sum() / self.weights.sum())

    def prior_slope(self, controls: Tensor) -> Tensor:
        """Return half the gradient of the priors at controls [num_controls], same shape."""
        around_zero = self.prior_precision * controls
        return around_zero + self.motion_precision * (controls - self.previous)
