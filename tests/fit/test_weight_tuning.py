"""Weights tuned for one person draw that person better, and change little."""

from __future__ import annotations

import numpy as np
import torch

from facecodec.fit.objective import Target, band, weight_map
from facecodec.fit.response import Response
from facecodec.fit.weight_tuning import WeightTuningPlan, changed, tensor_sizes, tune_weights
from facecodec.generator.sampling import draw_latents
from facecodec.progress import silent


def test_a_few_steps_come_nearer_to_somebody_else(generator, rig):
    with torch.no_grad():
        both = draw_latents(generator, 2, seed=4, truncation=0.3)
        person, other = generator.styles(generator.broadcast(both))
        picture = generator.preview(other[None], 64)[0].clamp(-1, 1)
    target = Target(picture, weight_map(None, 64), None)
    response = Response(person, rig.basis(generator))
    plan = WeightTuningPlan(steps=10, full_steps=0, coarse_size=64, rate=0.01, control_rate=0.0)
    values, controls = tune_weights(
        generator, response, [target], torch.zeros(1, 35), plan, None, silent
    )
    assert values.shape == (sum(tensor_sizes(generator)),) and (controls == 0).all()
    with torch.no_grad():
        before = (generator.preview(person[None], 64)[0] - picture).abs().mean()
        tuned = changed(generator, values).preview(person[None], 64)[0]
    assert float((tuned - picture).abs().mean()) < 0.8 * float(before)
    assert 0 < np.abs(values).max() < 0.2


def test_full_renders_get_the_contrast_of_the_frame(generator, rig):
    """The last steps bring back detail that a flat start lacks."""
    with torch.no_grad():
        latent = draw_latents(generator, 1, seed=4, truncation=0.3)
        person = generator.styles(generator.broadcast(latent))[0]
        picture = generator.shrunk(person[None], 256)[0]
        contrasty = picture.mean() + 1.5 * (picture - picture.mean())
    target = Target(contrasty, weight_map(None, 256), None)
    response = Response(person, rig.basis(generator))
    plan = WeightTuningPlan(steps=0, full_steps=3, control_rate=0.0)
    values, _ = tune_weights(generator, response, [target], torch.zeros(1, 35), plan, None, silent)
    with torch.no_grad():
        tuned = changed(generator, values).shrunk(person[None], 256)[0]

    def amplitude(shown: torch.Tensor) -> float:
        return float(band(shown[None])[1].abs().mean())

    assert amplitude(picture) < amplitude(tuned) < 1.2 * amplitude(contrasty)


def test_detail_finer_than_the_frames_counts(generator, rig, monkeypatch):
    """Fitted to small pictures alone, weights weave a mesh that none of them shows."""
    with torch.no_grad():
        latent = draw_latents(generator, 1, seed=4, truncation=0.3)
        person = generator.styles(generator.broadcast(latent))[0]
        picture = generator.preview(person[None], 64)[0].clamp(-1, 1)
    target = Target(picture, weight_map(None, 64), None)
    response = Response(person, rig.basis(generator))
    plan = WeightTuningPlan(steps=0, full_steps=2, change_penalty=0.0)

    def roughness(full: torch.Tensor, *_: object) -> torch.Tensor:
        return 100 * (full - full.mean()).square().mean()

    def contrast(values):
        with torch.no_grad():
            return float(changed(generator, values).synthesize(person[None]).std())

    args = generator, response, [target], torch.zeros(1, 35), plan, None, silent
    free, _ = tune_weights(*args)
    monkeypatch.setattr("facecodec.fit.comparison.grain", roughness)
    held, _ = tune_weights(*args)
    assert contrast(held) < 0.99 * contrast(free)
