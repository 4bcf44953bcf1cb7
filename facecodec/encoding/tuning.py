"""Tune a person: keyframes of the clip to a small change of their styles and responses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.checkpoint import made_once
from facecodec.clip.clip import Clip
from facecodec.encoding.person import Enrolment, compared_size, pose_from_landmarks, recovery
from facecodec.encoding.presets import Preset
from facecodec.errors import UsageError
from facecodec.fit.frame_selection import select_keyframes
from facecodec.fit.kept_tracking import KeptTracker
from facecodec.fit.light_tuning import tune_light
from facecodec.fit.likeness import Likeness
from facecodec.fit.tracking import Tracker
from facecodec.fit.weight_tuning import tune_weights
from facecodec.progress import Progress

TUNES = ("none", "small", "light", "full")


def settled_tune(tune: str | None, known: bool, live: bool) -> str:
    """Return the kind of tuning that is meant; None is 'small', and 'none' where that cannot be.

    `known`: the person is given, and tuned already or not at all. `live`: nothing may be waited
    for. Raises UsageError for a kind that there is not, or of a known person.
    """
    if tune is None:
        return "none" if known or live else "small"
    if tune not in TUNES:
        raise UsageError(f"no tuning {tune!r}; there are: {', '.join(TUNES)}")
    if tune != "none" and known:
        raise UsageError(
            "no tuning here: a person out of a file is tuned already or not at all",
            argument="tune",
        )
    return tune


def tune_person(
    clip: Clip,
    avatar: Avatar,
    enrolment: Enrolment,
    plan: Preset,
    kind: str,
    likeness: Likeness | None,
    progress: Progress,
) -> tuple[Avatar, Enrolment]:
    """Return the person with a tuning, fitted to keyframes of the clip.

    `kind`: 'small' and 'light' change styles and responses, 'full' the weights of the network as
    well.
    Raises UsageError when the generator's weights cannot be tuned.
    """
    model = avatar.model
    if kind == "full" and not model.generator.tunable:
        raise UsageError(
            f"tuning full: the weights of {model.generator.name} are not tuned yet",
            argument="tune",
        )
    how = plan.small_tuning if kind == "small" else plan.tuning
    # keyframes share derivatives: as many as a person has poses, not one each
    tracking = replace(plan.tracking, cold_recomputations=plan.tracking.cold_recomputations / 3)
    chosen = select_keyframes(clip.signals, clip.scan.clear, enrolment.frame, how.keyframes)
    full_steps = how.full_steps + (plan.weights.full_steps if kind == "full" else 0)
    size = compared_size(clip, model.generator, full_steps)
    targets = clip.targets(chosen, model.device, size)
    before = torch.from_numpy(enrolment.controls)
    known = list(before.double())

    def tracked() -> Tensor:
        """Return the controls [keyframes, K] that a tuning begins with."""
        tracker = KeptTracker(
            Tracker(model.generator, avatar.basis, avatar.styles, tracking, before)
        )
        controls = []
        for step, (i, target) in enumerate(zip(chosen, targets, strict=True)):
            start = pose_from_landmarks(avatar.rig, clip.signals[i] - enrolment.neutral)
            controls.append(torch.from_numpy(tracker.track(target, [start, *known], None).controls))
            progress("keyframes", step + 1, len(chosen))
        recover = recovery(model.generator, clip, chosen, targets)
        return recover(tracker, avatar.response, torch.stack(controls))

    begin = torch.as_tensor(made_once("tracked", tracked))
    rows, shares, controls = made_once(
        "light",
        lambda: tune_light(
            model.generator, avatar.response, targets, begin, how, likeness, progress
        ),
    )
    fitted = torch.as_tensor(controls)
    if kind == "small":
        tuned = Avatar(model, avatar.latent, Tuning.small(rows, shares, how.small_step))
    else:
        steps = np.full(len(rows), how.response_step)
        steps[0] = how.styles_step
        tuned = Avatar(model, avatar.latent, Tuning.light(rows, steps))
    if kind == "full" and tuned.tuning is not None:
        weights, fitted = tune_weights(
            model.generator, tuned.response, targets, fitted, plan.weights, likeness, progress
        )
        full = tuned.tuning.with_weights(weights, plan.weights.step)
        tuned = Avatar(model, avatar.latent, full)
    known_controls = fitted.double().cpu().numpy()
    return tuned, replace(enrolment, signals=clip.signals[chosen], controls=known_controls)
