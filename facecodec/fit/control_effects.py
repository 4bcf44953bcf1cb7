"""What controls do to a tuned person's styles beside what the rig says, while it is fitted."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

SMALLEST_SPREAD = 0.1  # standard deviations of a control, of keyframes along a direction


class ControlEffects(Protocol):
    """An effect of the controls on the styles, in units of `channel_spread`."""

    def leaves(self) -> list[tuple[Tensor, float]]:
        """Return what is fitted, of any shape [...], and its largest learning rate."""

    def added(self, controls: Tensor) -> Tensor:
        """Return what controls [K] add to the styles, [num_styles]."""

    def size(self) -> Tensor:
        """Return how large the effect is, [], which a fit may hold back."""

    def scaled(self, controls: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows [D, num_styles] of styles, and the shares [K, D] that controls take of them.

        Without shares, [K, 0], a row is a control's. `controls` [N, K]: those of the keyframes.
        """


class OwnEffects:
    """A row of styles for every control."""

    def __init__(self, basis: Tensor, rate: float) -> None:
        """Begin with no effect, shaped as `basis` [K, num_styles] is; `rate`: of learning."""
        self.rows, self.rate = torch.zeros_like(basis, requires_grad=True), rate

    def leaves(self) -> list[tuple[Tensor, float]]:
        """See `ControlEffects`."""
        return [(self.rows, self.rate)]

    def added(self, controls: Tensor) -> Tensor:
        """See `ControlEffects`."""
        return controls @ self.rows

    def size(self) -> Tensor:
        """Return the mean over channels of the rows' squares, [], summed over controls."""
        return self.rows.square().sum(0).mean()

    def scaled(self, controls: Tensor) -> tuple[Tensor, Tensor]:
        """See `ControlEffects`."""
        return self.rows.detach(), self.rows.new_zeros(len(self.rows), 0)


class SharedEffects:
    """Few directions in the styles, of which every control takes its share.

    Shares begin as the principal components of the keyframes' controls: what their expressions have
    in common comes first.
    """

    def __init__(
        self, basis: Tensor, controls: Tensor, directions: int, rates: tuple[float, float]
    ) -> None:
        """Begin with no effect. `basis` [K, num_styles]; `controls` [N, K] of the keyframes.

        `directions`: how many; no more than there are keyframes. `rates`: of learning, for
        directions and for shares.
        """
        _, lengths, axes = torch.linalg.svd(controls, full_matrices=False)
        count = min(directions, len(lengths))
        spread = (lengths[:count] / len(controls) ** 0.5).clamp_min(SMALLEST_SPREAD)
        self.shares = (axes[:count].T / spread).contiguous().requires_grad_(True)
        self.directions = torch.zeros_like(basis[:count], requires_grad=True)
        self.rates = rates

    def leaves(self) -> list[tuple[Tensor, float]]:
        """See `ControlEffects`."""
        return [(self.directions, self.rates[0]), (self.shares, self.rates[1])]

    def added(self, controls: Tensor) -> Tensor:
        """See `ControlEffects`."""
        taken: Tensor = controls @ self.shares
        return taken @ self.directions

    def size(self) -> Tensor:
        """Return the mean over channels of the directions' squares, [], summed over directions."""
        return self.directions.square().sum(0).mean()

    def scaled(self, controls: Tensor) -> tuple[Tensor, Tensor]:
        """Return directions [D, num_styles] and shares [K, D] of the same effect.

        Scaled so that the keyframes' controls [N, K] go one unit along each, root mean square: a
        step of a direction is then a step of what is drawn.
        """
        spread = (controls @ self.shares).square().mean(0).sqrt().clamp_min(SMALLEST_SPREAD)
        return (self.directions * spread[:, None]).detach(), (self.shares / spread).detach()
