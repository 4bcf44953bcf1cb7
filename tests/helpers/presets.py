"""A preset that takes every step of an encode once or twice: quick, and unlike anybody."""

from __future__ import annotations

from facecodec.encoding.presets import Preset
from facecodec.fit.inversion import InversionPlan
from facecodec.fit.light_tuning import LightTuningPlan
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.weight_tuning import WeightTuningPlan

TINY = Preset(
    keyframes=2,
    inversion=InversionPlan(w_steps=4, w_plus_steps=4, fine_steps=1),
    tracking=TrackingPlan(iterations=1, preview_renders=2, cold_recomputations=0),
    tuning=LightTuningPlan(keyframes=2, steps=2, fine_steps=0),
    weights=WeightTuningPlan(steps=2, fine_steps=0),
)
