"""Inversion: several frames of one person to one identity latent.

The latent starts as one w (StyleGAN's most editable space) and is then freed row by row under a
penalty for leaving it, while the controls of every frame explain the motion between the frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facecodec.fit.objective import Target, multiscale_l1, shrink
from facecodec.generator.base import Generator
from facecodec.progress import Progress
from facecodec.rig.sampling import draw_latents



@dataclass(frozen=True)
class InversionPlan:
    """How long and how freely an inversion runs.

    `w_steps` of one w on the identity frame at `coarse` pixels, `plus_steps` of W+ on all frames
    at `coarse` and `fine_steps` at `fine` pixels. `spread` is the penalty on rows leaving w,
    `calm` the penalty on controls, both per squared unit.
    """

    w_steps: int = 80
    plus_steps: int = 120
    fine_steps: int = 60
    coarse: int = 128
    fine: int = 256
    spread: float = 0.02
    calm: float = 2e-4


@dataclass(frozen=True)
class Inversion:
    """The person, W+ [num_ws, 512], and the controls [frames, 35] of the frames it came from."""

    w_plus: Tensor
    controls: Tensor


def cosine(step: int, steps: int, warm: int = 8) -> float:
    """Return a learning-rate factor: linear warm-up, then half a cosine down to 0.05."""
    ramp = min(1.0, (step + 1) / warm)
    fall = 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * step / max(steps, 1)))))
    return ramp * (0.05 + 0.95 * fall)


def invert(
    generator: Generator,
    basis: Tensor,
    targets: Sequence[Target],
    first_controls: Tensor,
    plan: InversionPlan,
    progress: Progress | None = None,
) -> Inversion:
    """Fit one identity latent to several aligned frames; `targets[0]` is the identity frame.

    `basis` [35, num_styles] is the rig's effect on the styles and `first_controls` [frames, 35]
    where the controls start (pose from landmarks). The identity frame keeps its start, so that
    controls 0 mean the person as it looks there.
    """
    spread_w = draw_latents(generator, 1000, seed=0, truncation=1.0).std(0)
    w = generator.w_mean.clone().requires_grad_(True)
    rows = torch.zeros(generator.num_ws, generator.w_dim, requires_grad=True)
    controls = first_controls.clone().requires_grad_(True)
    total = plan.w_steps + plan.plus_steps + plan.fine_steps
    done = 0

    def render(frame: int, size: int) -> Tensor:
        w_plus = w + rows
        styles = generator.styles(w_plus[None]) + controls[frame] @ basis
        return generator.preview(styles, size)

    def loss_of(frame: int, size: int) -> Tensor:
        target = targets[frame]
        return multiscale_l1(
            render(frame, size),
            shrink(target.picture[None], size),
            shrink(target.weights[None], size),
        )

    def run(steps: int, size: int, rates: dict[str, float], frames: int) -> None:
        nonlocal done
        groups = {"w": w, "rows": rows, "controls": controls}
        optimiser = torch.optim.Adam(
            [{"params": [groups[name]], "rate": rate} for name, rate in rates.items()],
            betas=(0.9, 0.98),
        )
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = group["rate"] * cosine(step, steps)
            optimiser.zero_grad()
            # the identity frame every other step, the others in turn
            frame = 0 if frames == 1 or step % 2 == 0 else 1 + (step // 2) % (frames - 1)
            loss = loss_of(frame, size)
            loss = loss + 1e-3 * ((w - generator.w_mean) / spread_w).square().mean()
            if "rows" in rates:
                loss = loss + plan.spread * (rows / spread_w).square().mean()
            if "controls" in rates:
                loss = loss + plan.calm * controls.square().sum(1).mean()
            loss.backward()
            if controls.grad is not None:
                controls.grad[0] = 0
            optimiser.step()
            done += 1
            if progress:
                progress("inversion", done, total)

    run(plan.w_steps, plan.coarse, {"w": 0.06}, 1)
    free = {"w": 0.01, "rows": 0.02, "controls": 0.05}
    run(plan.plus_steps, plan.coarse, free, len(targets))
    run(plan.fine_steps, plan.fine, {"rows": 0.012, "controls": 0.03}, len(targets))
    return Inversion((w + rows).detach(), controls.detach())
