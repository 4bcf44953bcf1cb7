"""Presets: how much time an encode may take."""

from __future__ import annotations

from dataclasses import dataclass

from facecodec.errors import UsageError
from facecodec.fit.inversion import InversionPlan
from facecodec.fit.tracking import TrackingPlan
from facecodec.fit.tuning import TuningPlan
from facecodec.fit.weights import WeightPlan


@dataclass(frozen=True)
class Preset:
    """Number of keyframes the identity is fitted to, and the plans of the fits."""

    keyframes: int
    inversion: InversionPlan
    tracking: TrackingPlan
    tuning: TuningPlan
    weights: WeightPlan = WeightPlan()


PRESETS = {
    "fast": Preset(
        4,
        InversionPlan(50, 80, 30),
        TrackingPlan(iterations=2),
        TuningPlan(12, 200, 0),
        WeightPlan(120, 60),
    ),
    "medium": Preset(8, InversionPlan(), TrackingPlan(), TuningPlan()),
    "slow": Preset(
        12,
        InversionPlan(120, 400, 250),
        TrackingPlan(iterations=5),
        TuningPlan(32, 2000, 1600),
        WeightPlan(800, 600),
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by name. Raises UsageError for an unknown one."""
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
