"""Derivatives of a person's picture by the controls: a small bank, by pose.

Made of differences of renders: central ones by pose, wide forward ones by offsets, which have to
see as far as expressions go. Each is corrected by Broyden's rule as steps are taken with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from facecodec.face.signals import NUM_POSE
from facecodec.fit.controls import pose_distance
from facecodec.fit.photometric import Linearisation, TrackingPlan, pyramid

PREPARED_PLACES = 5  # at which derivatives are computed beforehand: rest, left, right, up, down

Render = Callable[[Tensor], Tensor]  # controls [N, num_controls] to pictures [N, 3, S, S]


class DerivativeBank:
    """The derivatives that are known of one person, `Linearisation`s at various poses."""

    def __init__(self, render: Render, count: int, plan: TrackingPlan) -> None:
        """`render` draws the person at `count` controls."""
        self._render, self._count, self._plan = render, count, plan
        self._entries: list[Linearisation] = []
        self._by_pose: list[tuple[Tensor, Tensor]] = []  # controls, derivative by pose there

    @property
    def entries(self) -> tuple[Linearisation, ...]:
        """Return the derivatives that are known."""
        return tuple(self._entries)

    def take(self, entries: Sequence[Linearisation]) -> None:
        """Add derivatives that were prepared once before, in their order."""
        self._entries.extend(entries)

    def linearise(self, controls: Tensor, batch: int = 7) -> Linearisation:
        """Return the derivative of the render at `controls` [num_controls].

        `batch` renders are made at once.
        """
        count, step = len(controls), self._plan.step[1]
        pose, by_pose = self._derivative_by_pose(controls)
        columns = [by_pose]
        base = pyramid(self._render(controls[None]))
        for start in range(NUM_POSE, count, batch):
            index = torch.arange(start, min(start + batch, count))
            moved = controls.repeat(len(index), 1)
            moved[torch.arange(len(index)), index] += step
            columns.append((pyramid(self._render(moved)) - base) / step)
        jacobian = torch.cat(columns).T.contiguous()
        return Linearisation(controls.clone(), jacobian, pose)

    def _derivative_by_pose(self, controls: Tensor) -> tuple[Tensor, Tensor]:
        """Return a pose [3] near `controls` [num_controls], and the derivative there [3, values].

        By small steps to both sides: a turn by a whole standard deviation moves edges by many
        pixels, and changes the picture in another direction than a small turn does (yaw: the
        cosine of the two is 0.55).
        """
        if self._by_pose:
            near, known = min(self._by_pose, key=lambda entry: pose_distance(entry[0], controls))
            if float((near - controls)[:NUM_POSE].norm()) <= self._plan.pose_refresh:
                return near[:NUM_POSE], known
        step = self._plan.step[0]
        moved = controls.repeat(2 * NUM_POSE, 1)
        moved[:, :NUM_POSE] += step * torch.cat([torch.eye(NUM_POSE), -torch.eye(NUM_POSE)])
        renders = pyramid(self._render(moved))
        if len(self._by_pose) == self._plan.bank_size:
            self._by_pose.pop(0)
        derivative = (renders[:NUM_POSE] - renders[NUM_POSE:]) / (2 * step)
        self._by_pose.append((controls.clone(), derivative))
        return controls[:NUM_POSE].clone(), derivative

    def nearest(self, controls: Tensor) -> Linearisation:
        """Return the bank's derivative nearest to `controls` [num_controls].

        A new one is computed where all are far in pose, and its columns by pose where those are.
        """
        if not self._entries and self._plan.prepared_turn is not None:
            self.prepare()
        if self._entries:
            best = min(self._entries, key=lambda entry: pose_distance(entry.controls, controls))
            if self._plan.prepared_turn is not None:
                return best
            if float((best.controls - controls)[:NUM_POSE].norm()) <= self._plan.refresh:
                if float((best.pose - controls[:NUM_POSE]).norm()) > self._plan.pose_refresh:
                    best.pose, by_pose = self._derivative_by_pose(controls)
                    best.jacobian[:, :NUM_POSE] = by_pose.T
                return best
        return self.recompute(controls)

    def prepare(self) -> None:
        """Compute the derivatives at rest and turned to either side, up and down.

        By the plan's `prepared_turn`. Raises ValueError for a plan without one.
        """
        turn = self._plan.prepared_turn
        if turn is None:
            raise ValueError("the plan prepares no derivatives")
        places = torch.zeros(PREPARED_PLACES, self._count, dtype=torch.float64)
        places[1:3, 0] = places[3:5, 1] = torch.tensor([-turn, turn], dtype=torch.float64)
        for controls in places:
            self.recompute(controls)

    def recompute(self, controls: Tensor) -> Linearisation:
        """Return a new derivative at `controls` [num_controls], and keep it in the bank."""
        if len(self._entries) == self._plan.bank_size:
            self._entries.pop(0)
        self._entries.append(self.linearise(controls))
        return self._entries[-1]
