"""A preset that takes every step of an encode once or twice: quick, and unlike anybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from facecodec.encoding.presets import PRESETS, Preset
from facecodec.fit.inversion import InversionPlan
from facecodec.fit.light_tuning import LightTuningPlan
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.weight_tuning import WeightTuningPlan

TINY = Preset(
    keyframes=2,
    inversion=InversionPlan(w_steps=4, w_plus_steps=4, full_steps=1),
    tracking=TrackingPlan(iterations=1, preview_renders=2, cold_recomputations=0),
    tuning=LightTuningPlan(keyframes=2, steps=2, full_steps=1),
    weights=WeightTuningPlan(steps=2, full_steps=1),
)


@contextmanager
def fast_is(preset: Preset) -> Iterator[None]:
    """While entered, the preset that commands call `fast` is this one; Python may pass its own."""
    with mock.patch.dict(PRESETS, {"fast": preset}):
        yield
