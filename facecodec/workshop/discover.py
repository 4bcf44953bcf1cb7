"""Discover a rig: by index sensitivity alone, or by what the motion of real people needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facecodec.clip.clip import Clip
from facecodec.clip.scan import Scan, Span
from facecodec.encoding.person import Enrolment, find_person
from facecodec.encoding.presets import preset_of
from facecodec.errors import ModelError
from facecodec.face.signals import NUM_POSE
from facecodec.fit.frame_selection import farthest_points
from facecodec.fit.objective import shrink
from facecodec.models import (
    Device,
    FaceModel,
    landmark_finder,
    load_generator_on,
    load_likeness,
    require_models,
)
from facecodec.progress import Progress
from facecodec.rig.channels import SAME_EFFECT_COSINE, candidates, describe, in_order
from facecodec.rig.effects import (
    LEAST_TURN,
    Effects,
    measure_effects,
    propose_titles,
)
from facecodec.rig.measurement import Measured, measure, rig_by_sensitivity
from facecodec.rig.motion_evidence import (
    PICTURE_SIZE,
    Evidence,
    choose_by_motion,
    columns,
    evidence,
    unexplained_share,
)
from facecodec.rig.rig import Rig
from facecodec.video.reader import VideoReader

# Of a pose axis, on held-out faces. The weakest one of the shipped rig, roll, has 0.48; an axis
# that the faces do not show scatters about 0, to either side.
MIN_CORRELATION = 0.3
FRAMES_PER_CLIP = 150  # of every clip are read
EXPLAINED_FRAMES = 16  # of them are explained, spread over expressions
FRONTAL_DEVIATIONS = 1.0  # standard deviations of yaw and pitch from the identity frame


def discover_rig(
    model: str,
    samples: int,
    seed: int,
    clips: Sequence[Path],
    device: Device,
    progress: Progress,
) -> Rig:
    """Return a rig of an installed generator; `clips` of people make motion choose the channels.

    Raises NoFaceError when the generator draws no faces or a clip shows none.
    """
    require_models(model, person=bool(clips))
    generator = load_generator_on(model, device)
    finder = landmark_finder()

    def find(picture: np.ndarray) -> np.ndarray | None:
        finder.reset()
        return finder(picture)

    measured = measure(generator, find, samples, seed=seed, progress=progress)
    rig = rig_by_sensitivity(generator, measured, samples, seed, progress)
    refuse_lost_axes(rig)
    if clips:
        rig = chosen_by_motion(FaceModel(generator, rig), measured, clips, progress)
    effects = measure_effects(generator, rig.basis(generator), find, progress=progress)
    refuse_wrong_turns(rig, effects)
    return replace(rig, titles=propose_titles(effects, rig.regions))


def chosen_by_motion(
    model: FaceModel, measured: Measured, clips: Sequence[Path], progress: Progress
) -> Rig:
    """Return a rig with those channels that explain the motion of people in clips best."""
    generator, rig = model
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
        explained, gram = explain(model, clip, moves, progress)
        frames += explained
        alike |= gram
    chosen = choose_by_motion(frames, list(regions.values()), NUM_POSE, alike.numpy())
    offsets = [
        describe(generator, measured.stds, measured.energy, channels[i - NUM_POSE],
                 regions[channels[i - NUM_POSE]])
        for i in chosen
    ]  # fmt: skip
    left = unexplained_share(frames, [*range(NUM_POSE), *chosen])
    progress(f"residual left {left:.3f}", 1, 1)
    return replace(rig, offsets=in_order(offsets))


def refuse_lost_axes(rig: Rig) -> None:
    """Raise ModelError for a pose axis that is none: unseen faces do not turn as it says."""
    lost = [axis for axis in rig.pose if not axis.correlation >= MIN_CORRELATION]
    if lost:
        names = ", ".join(f"{axis.name} ({axis.correlation:.2f})" for axis in lost)
        raise ModelError(
            f"the generator has no axis for {names}: the correlation on held-out faces "
            f"must be {MIN_CORRELATION:.2f} at least; sample more faces"
        )


def refuse_wrong_turns(rig: Rig, effects: Effects) -> None:
    """Raise ModelError for a pose axis that does not turn faces the way it is called."""
    for number, axis in enumerate(rig.pose):
        change, agreement = effects.change[number, number], effects.agreement[number, number]
        if not (change > 0 and agreement >= LEAST_TURN):
            share = agreement if change > 0 else 1 - agreement
            raise ModelError(
                f"the generator has no axis for {axis.name}: moved along it, {share:.0%} of the "
                f"faces turn that way, and {LEAST_TURN:.0%} must; sample more faces"
            )


def explain(
    model: FaceModel, path: Path, moves: torch.Tensor, progress: Progress
) -> tuple[list[Evidence], torch.Tensor]:
    """Return the evidence of one person's clip, and which pairs of moves look the same on them.

    `moves` [M, num_styles]; the pairs are bool [M, M].
    """
    generator, likeness = model.generator, load_likeness(model.generator)
    span = Span(max_frames=FRAMES_PER_CLIP)
    with Clip(VideoReader(path), span, occlusions=False, progress=progress) as clip:
        avatar, person = find_person(clip, model, preset_of("fast"), None, likeness, progress)
        others = frontal_frames(clip.scan, model.rig, person)
        first, *targets = clip.targets([person.frame, *others], model.device)
    effects = columns(generator, avatar.styles[None], moves.to(model.device))
    unit = effects / effects.norm(dim=1, keepdim=True).clamp_min(1e-6)
    frames = []
    for target in targets:
        # real against real: what the inversion missed is no motion
        moved = shrink(target.picture[None] - first.picture[None], PICTURE_SIZE)
        frames.append(evidence(effects, moved, shrink(target.weights[None], PICTURE_SIZE)))
    return frames, (unit @ unit.T).abs().cpu() > SAME_EFFECT_COSINE


def frontal_frames(scan: Scan, rig: Rig, person: Enrolment) -> list[int]:
    """Return frames but the identity frame with the head turned as there, spread over expressions.

    In the order of the clip.
    """
    spread = np.array([axis.std for axis in rig.pose])[:2]
    turned = np.abs((scan.signals[:, :2] - person.neutral[:2]) / spread).max(1)
    near = np.flatnonzero(scan.seen & (turned < FRONTAL_DEVIATIONS))
    # mouth and eye signals
    unit = scan.signals[near, 3:] / np.maximum(scan.signals[near, 3:].std(0), 1e-6)
    first = int(np.argmin(np.abs(near - person.frame)))
    chosen = farthest_points(unit, first, EXPLAINED_FRAMES)
    return sorted({int(near[i]) for i in chosen} - {person.frame})
