"""Derivatives of a person's picture by the controls: a small bank, by pose.

Made of differences of renders: central ones by pose, wide forward ones by offsets, which have to
see as far as expressions go. Each is corrected by Broyden's rule as steps are taken with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from facecodec.checkpoint import State
from facecodec.face.signals import NUM_POSE
from facecodec.fit.controls import pose_distance, tensor
from facecodec.fit.photometric import Linearisation, TrackingPlan, pyramid

# Standard deviation of the pose in the renders of a derivative that is prepared, in those of a
# control; offsets have 1.
PREPARED_TURN = 0.7

Render = Callable[[Tensor], Tensor]  # controls [N, num_controls] to pictures [N, 3, S, S]


class DerivativeBank:
    """The derivatives that are known of one person, `Linearisation`s at various poses."""

    def __init__(self, render: Render, count: int, plan: TrackingPlan) -> None:
        """`render` draws the person at `count` controls."""
        self._render, self._count, self._plan = render, count, plan
        self._entries: list[Linearisation] = []
        self._by_pose: list[tuple[Tensor, Tensor]] = []  # controls, derivative by pose there

    def take(self, entry: Linearisation) -> None:
        """Add a derivative that was prepared once before."""
        self._entries.append(entry)

    def state(self) -> State:
        """Return what is known now."""
        entries = [[entry.controls, entry.jacobian, entry.pose] for entry in self._entries]
        return {"entries": entries, "by_pose": [list(known) for known in self._by_pose]}

    def restore(self, state: State, device: torch.device) -> None:
        """Know what `state` returned, with pictures on this device."""
        self._entries = [
            Linearisation(tensor(controls), tensor(jacobian).to(device), tensor(pose))
            for controls, jacobian, pose in state["entries"]
        ]
        self._by_pose = [
            (tensor(controls), tensor(derivative).to(device))
            for controls, derivative in state["by_pose"]
        ]

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
        if self._plan.prepared_renders is not None:
            return self._entries[0] if self._entries else self.prepare()
        if self._entries:
            best = min(self._entries, key=lambda entry: pose_distance(entry.controls, controls))
            if float((best.controls - controls)[:NUM_POSE].norm()) <= self._plan.refresh:
                if float((best.pose - controls[:NUM_POSE]).norm()) > self._plan.pose_refresh:
                    best.pose, by_pose = self._derivative_by_pose(controls)
                    best.jacobian[:, :NUM_POSE] = by_pose.T
                return best
        return self.recompute(controls)

    def prepare(self, batch: int = 5) -> Linearisation:
        """Return one derivative for all controls that faces take, and keep it in the bank.

        By linear regression over the plan's `prepared_renders` at random controls, in pairs of
        opposite ones. In one derivative all corrections by Broyden's rule come together.
        Raises ValueError for a plan without such renders. `batch` renders are made at once.
        """
        renders = self._plan.prepared_renders
        if renders is None:
            raise ValueError("the plan prepares no derivative")
        draw = np.random.Generator(np.random.PCG64(0))
        half = torch.from_numpy(draw.standard_normal((renders // 2, self._count)))
        half[:, :NUM_POSE] *= PREPARED_TURN
        products = torch.zeros(0)
        for row in half.split(batch):
            change = pyramid(self._render(row)) - pyramid(self._render(-row))
            added = 0.5 * change.T @ row.float().to(change.device)
            products = products + added if len(products) else added
        normal = half.T @ half + torch.eye(self._count)
        jacobian = products.double() @ torch.linalg.inv(normal).to(products.device)
        rest = torch.zeros(self._count, dtype=torch.float64)
        self.take(Linearisation(rest, jacobian.float().contiguous(), rest[:NUM_POSE].clone()))
        return self._entries[-1]

    def recompute(self, controls: Tensor) -> Linearisation:
        """Return a new derivative at `controls` [num_controls], and keep it in the bank."""
        if len(self._entries) == self._plan.bank_size:
            self._entries.pop(0)
        self._entries.append(self.linearise(controls))
        return self._entries[-1]
