"""Quick encodes: a preset that takes every kind of step once, and what else tests leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from facecodec.encoding.presets import PRESETS, Preset
from facecodec.fit.correction import CorrectionPlan
from facecodec.fit.inversion import InversionPlan
from facecodec.fit.light_tuning import LightTuningPlan
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.weight_tuning import WeightTuningPlan
from facecodec.rig.rig import NUM_POSE

_TRACKING = TrackingPlan(size=64, iterations=1, preview_renders=1, cold_recomputations=0)

# Quick, and unlike anybody: all its frames would be led by landmarks, at a hundred readings each.
TINY = Preset(
    keyframes=2,
    inversion=InversionPlan(
        w_steps=1,
        gaze_steps=1,
        w_plus_steps=2,
        full_steps=1,
        coarse_size=64,
        tracking=_TRACKING,
        recovery=False,
    ),
    tracking=_TRACKING,
    tuning=LightTuningPlan(keyframes=2, steps=1, full_steps=1, coarse_size=64),
    small_tuning=LightTuningPlan(keyframes=2, steps=1, full_steps=1, coarse_size=64, directions=2),
    weights=WeightTuningPlan(steps=1, full_steps=1, coarse_size=64),
)


@contextmanager
def fast_is(preset: Preset) -> Iterator[None]:
    """While entered, the preset that commands call `fast` is this one; Python may pass its own."""
    with mock.patch.dict(PRESETS, {"fast": preset}):
        yield


@contextmanager
def pose_corrected_alone() -> Iterator[None]:
    """While entered, landmarks correct the pose alone, of anybody as they do of a tuned person.

    The derivative by all controls is more than half of a tiny encode: 64 readings for 8.
    """

    def plan(**_: Any) -> CorrectionPlan:
        return CorrectionPlan(guided=NUM_POSE)

    with mock.patch("facecodec.encoding.motion.CorrectionPlan", plan):
        yield


def finding_once(find_person: Callable[..., Any]) -> Callable[..., Any]:
    """Find the person of a clip once; that it is the same one the next time is tested elsewhere."""
    known: dict[str, Any] = {}

    def find(clip: Any, *rest: Any) -> Any:
        if clip.name not in known:
            known[clip.name] = find_person(clip, *rest)
        return known[clip.name]

    return find
