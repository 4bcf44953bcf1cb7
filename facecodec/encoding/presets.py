"""Presets: how much time an encode may take."""

from __future__ import annotations

from dataclasses import dataclass

from facecodec.errors import UsageError
from facecodec.fit.inversion import InversionPlan
from facecodec.fit.light_tuning import LightTuningPlan
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.weight_tuning import WeightTuningPlan


@dataclass(frozen=True)
class Preset:
    """Number of keyframes the identity is fitted to, and the plans of the fits."""

    keyframes: int
    inversion: InversionPlan
    tracking: TrackingPlan
    tuning: LightTuningPlan
    weights: WeightTuningPlan = WeightTuningPlan()


PRESETS = {
    "fast": Preset(
        keyframes=4,
        inversion=InversionPlan(w_steps=50, w_plus_steps=80, fine_steps=30),
        tracking=TrackingPlan(iterations=2),
        tuning=LightTuningPlan(keyframes=12, steps=200, fine_steps=0),
        weights=WeightTuningPlan(steps=120, fine_steps=60),
    ),
    "medium": Preset(
        keyframes=8,
        inversion=InversionPlan(),
        tracking=TrackingPlan(),
        tuning=LightTuningPlan(),
    ),
    "slow": Preset(
        keyframes=12,
        inversion=InversionPlan(w_steps=120, w_plus_steps=400, fine_steps=250),
        tracking=TrackingPlan(iterations=5),
        tuning=LightTuningPlan(keyframes=32, steps=2000, fine_steps=1600),
        weights=WeightTuningPlan(steps=800, fine_steps=600),
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by name. Raises UsageError for an unknown one."""
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
