"""Tracking against the published recipe: seconds a frame, and what each leaves unexplained.

    python benchmarks/published_recipe.py CLIP --json benchmarks/results/published_recipe.json

The recipe, as publicly re-implemented from arXiv 2203.14512: at full size, Adam on the pose with a
squared difference over the face without eyes and mouth (100 steps for the first frame, 50 for later
ones), then AdamW on the 32 offsets, from zero, a learning rate for each that falls with its
sensitivity (100 steps, then 30). Its perceptual loss needs weights that are not at hand and is left
out, which makes it faster. Both track the same person, in one run: the recipe a few frames, whose
cost does not depend on what they show, facecodec `TRACKED`, since a derivative that is recomputed
counts for many. The recipe's gradients run on this project's kernels, or on plain torch, as
published, with `--plain`. What is left is compared on the frames that both tracked: the weighted
mean absolute difference of the full renders at 256x256, of a range of 2. The ratio is of the mean
seconds a frame, the first left out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from saved import save
from torch import Tensor

from cuda_ops import dispatch
from facecodec.cli.progress import shown
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.encoding.person import find_person
from facecodec.encoding.presets import preset_of
from facecodec.fit.objective import Target, shrink
from facecodec.fit.tracking import Tracker
from facecodec.models import load_likeness, load_models
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.video.reader import VideoReader

RATE = 0.05
TRACKED = 60
COMMAND = "python benchmarks/published_recipe.py CLIP"


class Recipe:
    """The published recipe for one person; keeps the pose from frame to frame."""

    def __init__(self, render: Callable[[Tensor], Tensor], rig: Rig) -> None:
        self.render, self.pose = render, torch.zeros(NUM_POSE)
        energy = torch.tensor([offset.energy for offset in rig.offsets])
        # expressions, of which it knows nothing, go as slowly as the strongest channel
        energy = torch.cat([energy, energy.max().expand(len(rig.expressions))])
        self.rates = torch.exp(-1.5 * energy / energy.max())

    def track(self, target: Target, first: bool) -> Tensor:
        """Return the controls [num_controls] of one frame."""
        size = target.picture.shape[-1]
        face = (target.weights[None] <= 1.0) * target.weights[None]  # eyes and mouth weigh more
        pose = self.pose.clone().requires_grad_(True)
        optimiser = torch.optim.Adam([pose], lr=RATE)
        for _ in range(100 if first else 50):
            controls = torch.cat([pose, torch.zeros(len(self.rates))])
            self._step(optimiser, controls, target.picture, face, size)
        self.pose = pose.detach()
        offsets = [torch.zeros(1, requires_grad=True) for _ in self.rates]
        optimiser = torch.optim.AdamW(
            [
                {"params": [o], "lr": RATE * float(r)}
                for o, r in zip(offsets, self.rates, strict=True)
            ]
        )
        for _ in range(100 if first else 30):
            controls = torch.cat([self.pose, *offsets])
            self._step(optimiser, controls, target.picture, target.weights[None], size)
        return torch.cat([self.pose, *offsets]).detach()

    def _step(
        self, optimiser: torch.optim.Optimizer, controls: Tensor, picture: Tensor, weights: Tensor,
        size: int,
    ) -> None:  # fmt: skip
        optimiser.zero_grad()
        away = (shrink(self.render(controls), size) - picture[None]).square() * weights
        (away.sum() / (3 * weights.sum())).backward()
        optimiser.step()


def main() -> None:
    """Track a few frames both ways and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=3, help="frames the recipe is run on")
    parser.add_argument("--plain", action="store_true", help="the recipe runs on plain torch")
    parser.add_argument("--preset", default="fast", help="how the person is inverted")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.frames < 2:
        parser.error("--frames takes 2 or more: the first is left out of the means")
    model = load_models()
    generator, rig = model
    span, plan, likeness = (
        Span(max_frames=TRACKED),
        preset_of(given.preset),
        load_likeness(generator),
    )
    with (
        shown() as progress,
        Clip(VideoReader(given.clip), span, occlusions=False, progress=progress) as clip,
    ):
        avatar, person = find_person(clip, model, plan, None, likeness, progress)
        numbers = list(range(len(clip)))
        targets = clip.targets(numbers, model.device)
    styles, basis = avatar.styles, avatar.basis

    def render(controls: Tensor) -> Tensor:
        return generator.synthesize((styles + controls @ basis)[None])

    def left(target: Target, controls: Tensor) -> float:
        with torch.no_grad():
            away = (shrink(render(controls), 256) - target.picture[None]).abs()
        return float((away * target.weights).sum() / (3 * target.weights.sum()))

    rows = []
    known = torch.from_numpy(person.controls)
    tracker = Tracker(generator, basis, styles, plan.tracking, known)
    recipe, previous = Recipe(render, rig), None
    for i, target in zip(numbers, targets, strict=True):
        begin = time.perf_counter()
        starts = [previous] if previous is not None else list(known.double())
        tracked = tracker.track(target, starts, previous)
        ours = time.perf_counter() - begin
        previous = torch.from_numpy(tracked.controls)
        rows.append({"frame": i, "seconds": ours})
        if i < given.frames:
            begin = time.perf_counter()
            with dispatch.using("reference" if given.plain else None):
                controls = recipe.track(target, first=i == 0)
            rows[-1] |= {
                "recipe_seconds": time.perf_counter() - begin,
                "recipe_residual": left(target, controls),
                "residual": left(target, previous.float()),
            }
            print(json.dumps(rows[-1]), flush=True)
    theirs = [row["recipe_seconds"] for row in rows[1 : given.frames]]
    times = float(np.mean(theirs) / np.mean([row["seconds"] for row in rows[1:]]))
    print(f"later frames: {times:.0f} times faster")
    command = f"{COMMAND} --frames {given.frames}" + " --plain" * given.plain
    name = "published recipe, " + ("plain torch" if given.plain else "these kernels")
    save(given.json, command, table=table(rows, given.frames, name), rows=rows, times_faster=times)


def table(rows: list[dict[str, Any]], both: int, recipe: str) -> dict[str, Any]:
    """Return the document's table; both tracked the first `both` frames."""
    lines = []
    for name, seconds, residual in (
        (recipe, "recipe_seconds", "recipe_residual"),
        ("facecodec", "seconds", "residual"),
    ):
        later = np.mean([row[seconds] for row in rows[1:] if seconds in row])
        lines.append([name, f"{rows[0][seconds]:.1f} s", f"{later:.2f} s",
                      f"{np.mean([row[residual] for row in rows[:both]]):.4f}"])  # fmt: skip
    return {"columns": ["", "first frame", "later frames", "left unexplained"], "rows": lines}


if __name__ == "__main__":
    main()
