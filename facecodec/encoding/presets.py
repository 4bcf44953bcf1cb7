"""Presets: how much time an encode may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facecodec.errors import UsageError
from facecodec.fit.inversion import InversionPlan, Rates
from facecodec.fit.light_tuning import LightTuningPlan
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.weight_tuning import WeightTuningPlan

SMALL_TUNING = LightTuningPlan(
    keyframes=12, steps=280, full_steps=120, directions=8, small_step=0.15
)


# A stranger within seconds, from one frame: as soon as one w is near, rows are free.
QUICK_INVERSION = InversionPlan(
    w_steps=30,
    gaze_steps=0,
    w_plus_steps=20,
    full_steps=20,
    coarse_size=128,
    tracks=False,
    warm_up=4,
    w_rates=Rates(w=0.3),
    freed_rates=Rates(w=0.1, rows=0.2, controls=0.05),
    full_rates=Rates(w=0.05, rows=0.15, controls=0.02),
)
# What goes on from there, with more frames, whose controls are known.
CONTINUED_INVERSION = InversionPlan(
    w_steps=0, gaze_steps=0, w_plus_steps=40, full_steps=80, tracks=False
)


@dataclass(frozen=True)
class Preset:
    """The plans of all fits of an encode; more steps are slower and nearer to the clip."""

    keyframes: int  # frames that the identity latent is fitted to
    inversion: InversionPlan = InversionPlan()  # of the identity latent
    tracking: TrackingPlan = TrackingPlan()  # of the controls of every frame
    tuning: LightTuningPlan = LightTuningPlan()  # of styles and responses, light or full
    small_tuning: LightTuningPlan = SMALL_TUNING  # of the same, small
    weights: WeightTuningPlan = WeightTuningPlan()  # of the network's weights, for a full tuning
    live: bool = False  # frame by frame, as frames come: nothing waits for a later one


# A bounded amount of work a frame: its derivative is prepared, and no frame is drawn in full.
LIVE_TRACKING = TrackingPlan(
    size=64,
    short_previews=True,
    preview_renders=40,
    guided_steps=2,
    full_iterations=0,
    prepared_renders=200,
    recomputations=0.0,
    cold_recomputations=0.0,
)

FAST = Preset(
    keyframes=4,
    inversion=InversionPlan(w_steps=50, gaze_steps=25, w_plus_steps=60, full_steps=20),
    tracking=TrackingPlan(iterations=4),
    tuning=LightTuningPlan(keyframes=12, steps=140, full_steps=24),
    small_tuning=replace(SMALL_TUNING, keyframes=8, steps=100, full_steps=20, small_step=0.08),
    weights=WeightTuningPlan(steps=120, full_steps=36),
)

PRESETS = {
    "live": replace(
        FAST, keyframes=1, inversion=QUICK_INVERSION, tracking=LIVE_TRACKING, live=True
    ),
    "fast": FAST,
    "medium": Preset(keyframes=8),
    "slow": Preset(
        keyframes=12,
        inversion=InversionPlan(w_steps=120, gaze_steps=80, w_plus_steps=300, full_steps=160),
        tracking=TrackingPlan(iterations=9),
        tuning=LightTuningPlan(keyframes=32, steps=2000, full_steps=920),
        small_tuning=replace(SMALL_TUNING, keyframes=24, steps=700, full_steps=340),
        weights=WeightTuningPlan(steps=800, full_steps=360),
    ),
}


def preset_of(preset: str | Preset) -> Preset:
    """Return a preset by its name, or the one given. Raises UsageError for an unknown name."""
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise UsageError(f"no preset {preset!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[preset]


def preset_name(preset: str | Preset) -> str:
    """Return the name of a preset, 'custom' for one that has none."""
    return preset if isinstance(preset, str) else "custom"
