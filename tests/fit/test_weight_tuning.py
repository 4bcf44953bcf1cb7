"""Weights tuned for one person draw that person better, and change little."""

from __future__ import annotations

import numpy as np
import torch

from facecodec.fit.objective import Target, weight_map
from facecodec.fit.response import Response
from facecodec.fit.weights import WeightPlan, changed, sizes, tune_weights
from facecodec.progress import silent
from facecodec.rig.sampling import draw_latents


def test_a_few_steps_come_nearer_to_somebody_else(generator, rig):
    with torch.no_grad():
        both = draw_latents(generator, 2, seed=4, truncation=0.3)
        person, other = generator.styles(generator.broadcast(both))
        picture = generator.preview(other[None], 64)[0].clamp(-1, 1)
    target = Target(picture, weight_map(None, 64), None)
    response = Response(person, rig.basis(generator))
    plan = WeightPlan(steps=10, fine_steps=0, coarse=64, rate=0.01, control_rate=0.0)
    values, controls = tune_weights(
        generator, response, [target], torch.zeros(1, 35), plan, None, silent
    )
    assert values.shape == (sum(sizes(generator)),) and (controls == 0).all()
    with torch.no_grad():
        before = (generator.preview(person[None], 64)[0] - picture).abs().mean()
        tuned = changed(generator, values).preview(person[None], 64)[0]
    assert float((tuned - picture).abs().mean()) < 0.8 * float(before)
    assert 0 < np.abs(values).max() < 0.2
