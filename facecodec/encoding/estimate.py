"""How long an encode will take, from how fast this machine draws a preview.

All that takes long in an encode is made of a few kinds of steps, whose costs beside a preview's
differ little from machine to machine. They were measured on one thread of a Xeon with AMX, where a
preview took 22 ms. An estimate may be off by half.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

import cuda_ops
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.clip.source import FrameSource
from facecodec.encoding import parts
from facecodec.encoding.presets import Preset
from facecodec.models import FaceModel

PREVIEW_PIXELS = 128  # of the preview that is the unit of all costs
TIMED_PREVIEWS = 4  # the fastest of which counts


@dataclass(frozen=True)
class StepCosts:
    """What the steps of an encode cost, in previews of 128 pixels."""

    full_render: float = 2.6
    small_step: float = 1.9  # of an inversion, at 64 pixels
    larger_step: float = 6.8  # of an inversion, at 256 pixels
    coarse_step: float = 4.6  # of a tuning, at 128 pixels
    full_step: float = 12.5  # of a fit, at full renders
    face: float = 3.0  # a frame, until it is known where the face is and what hides it
    live_face: float = 0.6  # the same of a live encode
    descent: float = 1.8  # a Gauss-Newton step, with what belongs to it
    live_step: float = 0.7  # of live tracking, by a short preview
    reading: float = 4.0  # the face of a drawn picture
    derivative: float = 39.0  # one derivative of Gauss-Newton


COSTS = StepCosts()
DESCENTS_PER_ITERATION = 1.5  # Gauss-Newton steps a frame per iteration of a plan, retries included
READINGS_OF_GUIDE = 65  # pictures in which live tracking learns how the face moves
LIVE_STEPS = 1.6  # that a frame takes of at most two


def preview_seconds(model: FaceModel) -> float:
    """Return the seconds that this machine takes for a preview, as the fits draw it."""
    generator = model.generator
    size = min(generator.preview_sizes, key=lambda side: abs(side - PREVIEW_PIXELS))
    fastest = float("inf")
    with torch.no_grad(), cuda_ops.roughly():
        styles = generator.styles(generator.broadcast(generator.w_mean[None]))
        for _ in range(TIMED_PREVIEWS + 1):  # the first one prepares the weights
            begin = time.perf_counter()
            generator.preview(styles, size).cpu()
            fastest = min(fastest, time.perf_counter() - begin)
    return fastest


def encode_previews(plan: Preset, tune: str, frames: int, known: bool) -> float:
    """Return about how many previews cost as much as an encode of some frames.

    `tune`: as of `facecodec.encode`; `known`: the person is not sought.
    """
    inversion, tracking = plan.inversion, plan.tracking
    total = 0.0
    if not known:
        total += inversion.w_steps * COSTS.small_step
        larger = inversion.coarse_size > PREVIEW_PIXELS
        larger_step = COSTS.larger_step if larger else COSTS.coarse_step
        total += (inversion.gaze_steps + inversion.w_plus_steps) * larger_step
        total += inversion.full_steps * COSTS.full_step
        total += (plan.keyframes if inversion.tracks else 0) * COSTS.derivative
    if tune != "none":
        tuning = plan.small_tuning if tune == "small" else plan.tuning
        total += tuning.steps * COSTS.coarse_step
        total += tuning.full_steps * COSTS.full_step
    if tune == "full":
        total += plan.weights.steps * COSTS.coarse_step
        total += plan.weights.full_steps * COSTS.full_step
    begun = 1 if plan.live else len(parts.sections(frames))
    total += begun * tracking.preview_renders * COSTS.full_render
    if tracking.guided_steps is not None:
        total += (tracking.prepared_renders or 0) + READINGS_OF_GUIDE * COSTS.reading
        total += frames * (COSTS.live_face + LIVE_STEPS * COSTS.live_step)
    else:
        steps = DESCENTS_PER_ITERATION * tracking.iterations
        total += frames * (COSTS.face + steps * COSTS.descent + COSTS.reading)
        total += (begun - 1) * parts.LEAD_IN_FRAMES * steps * COSTS.descent
        total += READINGS_OF_GUIDE * COSTS.reading + begun * COSTS.derivative
    return total


def estimated_seconds(
    model: FaceModel, plan: Preset, tune: str, clip: Clip, known: bool
) -> float | None:
    """Return about how many seconds this machine takes to encode a clip, None if that is unknown.

    Draws a few previews, and reads nothing of the clip. `tune`, `known`: see `encode_previews`.
    """
    frames = expected_frames(clip.source, clip.span)
    if frames is None:
        return None
    return preview_seconds(model) * encode_previews(plan, tune, frames, known)


def expected_frames(source: FrameSource, span: Span) -> int | None:
    """Return about how many frames of a source lie in a span, None where that is not known."""
    start, end, most = span.start, span.end, span.max_frames
    count = source.frame_count
    if source.rate and (start is not None or end is not None):
        first = int((start or 0) * source.rate)
        last = count if end is None else int(end * source.rate)
        if last is not None and count is not None:
            last = min(last, count)
        count = None if last is None else max(0, last - first)
    if most is None or count is None:
        return count if most is None else most
    return min(most, count)
