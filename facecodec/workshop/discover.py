"""Discover a rig: by index sensitivity alone, or by what the motion of real people needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facecodec.clip.scan import Scan, Span, crops, scan
from facecodec.encoding.person import Person, find_person, make_target
from facecodec.encoding.presets import preset
from facecodec.face.landmarks import LandmarkFinder
from facecodec.fit.objective import shrink
from facecodec.generator.base import Generator
from facecodec.models import landmark_finder, load_generator_on, load_likeness
from facecodec.progress import Progress
from facecodec.rig.discover import measure, rig_of
from facecodec.rig.motion import SIZE, Evidence, choose_by_motion, columns, evidence, left_over
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.rig.selection import SIMILAR, candidates, describe, in_order
from facecodec.video.reader import VideoReader

FRAMES = 150  # of every clip are looked at
CHOSEN = 16  # of them are explained, spread over expressions
FRONTAL = 1.0  # standard deviations of yaw and pitch from the identity frame


def discover_rig(
    model: str,
    samples: int,
    seed: int,
    clips: Sequence[Path],
    device: str,
    progress: Progress,
) -> Rig:
    """Return a rig of an installed generator; `clips` of people make motion choose the channels.

    Raises NoFaceError when the generator draws no faces or a clip shows none.
    """
    generator = load_generator_on(model, device)
    finder = landmark_finder()

    def find(picture: np.ndarray) -> np.ndarray | None:
        finder.reset()
        return finder(picture)

    measured = measure(generator, find, samples, seed=seed, progress=progress)
    rig = rig_of(generator, measured, samples, seed, progress)
    if not clips:
        return rig
    pool = candidates(measured.energy)
    regions = {channel: region for region, channels in pool.items() for channel in channels}
    channels = list(regions)
    moves = torch.zeros(NUM_POSE + len(channels), generator.num_styles)
    moves[:NUM_POSE] = rig.basis(generator)[:NUM_POSE].cpu()
    for row, channel in enumerate(channels):
        moves[NUM_POSE + row, channel] = measured.stds[channel]
    frames: list[Evidence] = []
    alike = torch.zeros(len(moves), len(moves), dtype=torch.bool)
    for clip in clips:
        found, gram = explain(generator, rig, clip, moves, finder, progress)
        frames += found
        alike |= gram
    chosen = choose_by_motion(frames, list(regions.values()), NUM_POSE, alike.numpy())
    offsets = [
        describe(generator, measured.stds, measured.energy, channels[i - NUM_POSE],
                 regions[channels[i - NUM_POSE]])
        for i in chosen
    ]  # fmt: skip
    left = left_over(frames, [*range(NUM_POSE), *chosen])
    progress(f"residual left {left:.3f}", 1, 1)
    return replace(rig, offsets=in_order(offsets))


def explain(
    generator: Generator,
    rig: Rig,
    clip: Path,
    moves: torch.Tensor,
    finder: LandmarkFinder,
    progress: Progress,
) -> tuple[list[Evidence], torch.Tensor]:
    """Return the evidence of one person's clip, and which pairs of moves look the same on them."""
    span = Span(max_frames=FRAMES)
    with VideoReader(clip) as reader:
        found = scan(reader, finder, span, progress)
        person = find_person(
            reader, span, found, generator, rig, preset("fast"), None, load_likeness(generator),
            progress,
        )  # fmt: skip
        wanted = {person.frame, *frontal_frames(found, rig, person)}
        images = {i: image for i, image in crops(reader, span, found) if i in wanted}
    device = generator.w_mean.device
    with torch.no_grad():
        styles = generator.styles(person.w_plus[None])
    effects = columns(generator, styles, moves.to(device))
    unit = effects / effects.norm(dim=1, keepdim=True).clamp_min(1e-6)
    frames = []
    rest = make_target(images.pop(person.frame), found, person.frame, device).picture[None]
    for i, image in images.items():
        target = make_target(image, found, i, device)
        # real against real: what the inversion missed is no motion
        moved = shrink(target.picture[None] - rest, SIZE)
        frames.append(evidence(effects, moved, shrink(target.weights[None], SIZE)))
    return frames, (unit @ unit.T).abs().cpu() > SIMILAR


def frontal_frames(found: Scan, rig: Rig, person: Person) -> list[int]:
    """Return frames with the head turned as on the identity frame, spread over expressions."""
    spread = np.array([axis.std for axis in rig.pose])[:2]
    turned = np.abs((found.signals[:, :2] - person.neutral[:2]) / spread).max(1)
    near = np.flatnonzero(found.seen & (turned < FRONTAL))
    # farthest points in mouth and eye signals, beginning with the identity frame
    unit = found.signals[near, 3:] / np.maximum(found.signals[near, 3:].std(0), 1e-6)
    chosen = [int(np.argmin(np.abs(near - person.frame)))]
    distance = np.linalg.norm(unit - unit[chosen[0]], axis=1)
    while len(chosen) < min(CHOSEN, len(near)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(unit - unit[chosen[-1]], axis=1))
    return [int(near[i]) for i in chosen]
