"""Tune a person: keyframes of the clip to a small change of their styles and responses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from facecodec.avatar.response import response_of
from facecodec.bitstream.coding.full_tuning import pack_full, quantise_full
from facecodec.bitstream.coding.light_tuning import pack_light, quantise_light
from facecodec.clip.scan import Scan, Span
from facecodec.encoding.person import (
    Examples,
    Person,
    aligned_frames,
    make_target,
    pose_from_landmarks,
)
from facecodec.encoding.presets import Preset
from facecodec.encoding.recovery import recovery
from facecodec.errors import UsageError
from facecodec.fit.frame_selection import select_keyframes
from facecodec.fit.light_tuning import tune_light
from facecodec.fit.likeness import Likeness
from facecodec.fit.tracking import Tracker
from facecodec.fit.weight_tuning import tune_weights
from facecodec.generator.base import Generator
from facecodec.progress import Progress
from facecodec.rig.rig import Rig
from facecodec.video.reader import VideoReader

TUNES = ("none", "light", "full")


def tune_person(
    reader: VideoReader,
    span: Span,
    found: Scan,
    person: Person,
    generator: Generator,
    rig: Rig,
    plan: Preset,
    kind: str,
    likeness: Likeness | None,
    progress: Progress,
) -> Person:
    """Return the person with a tuning, fitted to keyframes of the clip.

    `kind`: 'light' changes styles and responses, 'full' the weights of the network as well.
    Raises UsageError when the generator's weights cannot be tuned.
    """
    if kind == "full" and not generator.tunable:
        raise UsageError(f"--tune full: the weights of {generator.name} are not tuned yet")
    how = plan.tuning
    # keyframes share derivatives: as many as a person has poses, not one each
    tracking = replace(plan.tracking, cold_recomputations=plan.tracking.cold_recomputations / 3)
    chosen = select_keyframes(found.signals, found.clear, person.frame, how.keyframes)
    images = aligned_frames(reader, span, found, chosen)
    device = generator.w_mean.device
    targets = [make_target(images[i], found, i, device) for i in chosen]
    latent = person.w_plus.cpu().numpy()
    _, response = response_of(generator, rig, latent)
    before = torch.from_numpy(person.examples.controls)
    tracker = Tracker(generator, response.basis, response.styles, tracking, before)
    controls = []
    known = list(before.double())
    for step, (i, target) in enumerate(zip(chosen, targets, strict=True)):
        start = pose_from_landmarks(rig, found, i, person.neutral)
        controls.append(torch.from_numpy(tracker.track(target, [start, *known], None).controls))
        progress("keyframes", step + 1, len(chosen))
    recover = recovery(generator, found, chosen, targets)
    begin = recover(tracker, response, torch.stack(controls))
    values, fitted = tune_light(generator, response, targets, begin, how, likeness, progress)
    steps = np.full(len(values), how.response_step)
    steps[0] = how.styles_step
    tuning = pack_light(quantise_light(values, steps))
    if kind == "full":
        _, response = response_of(generator, rig, latent, tuning)
        weights, fitted = tune_weights(
            generator, response, targets, fitted, plan.weights, likeness, progress
        )
        tuning = pack_full(quantise_full(tuning, weights, plan.weights.step))
    examples = Examples(found.signals[chosen], fitted.double().cpu().numpy())
    return replace(person, tuning=tuning, examples=examples)
