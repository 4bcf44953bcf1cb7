"""Detail of full renders: as much of it as the frame has, wherever it lies."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facecodec.fit.comparison import Comparison
from facecodec.fit.detail import amplitude_difference, detail_loss
from facecodec.fit.grain import grain
from facecodec.fit.objective import Target, band

AMPLITUDE = 3.0


def noise(seed: int, size: int = 128, strength: float = 0.2) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return strength * torch.randn(1, 3, size, size, generator=drawn)


def weights(size: int = 128) -> torch.Tensor:
    return torch.ones(1, 1, size, size)


def test_hair_in_the_wrong_place_is_not_made_fainter():
    """Differences alone shrink what lies elsewhere; its amplitude keeps it."""
    faint = [noise(seed, strength=0.02) for seed in (0, 1)]

    def slope(amplitude_weight: float) -> float:
        amount = torch.ones((), requires_grad=True)
        loss = detail_loss(0.8 * amount * faint[1], faint[0], weights(), amplitude_weight)
        loss.backward()
        return float(amount.grad)

    assert slope(0.0) > 0 > slope(AMPLITUDE)


@pytest.mark.parametrize("strength", [0.02, 0.2])
def test_half_the_detail_is_as_far_as_twice_of_it(strength):
    _, detail = band(noise(0, strength=strength))
    half = amplitude_difference(0.5 * detail, detail, weights())
    twice = amplitude_difference(2 * detail, detail, weights())
    assert float(half) == pytest.approx(float(twice), rel=0.1)
    assert amplitude_difference(detail, detail, weights()) == 0


def test_detail_where_nothing_counts_does_not_count():
    _, detail = band(noise(0))
    left = weights()
    left[..., 64:] = 0
    changed = detail.clone()
    changed[..., 64:] = 0
    assert float(amplitude_difference(changed, detail, left)) == pytest.approx(0, abs=1e-6)
    assert amplitude_difference(changed, detail, weights()) > 0.01


def test_a_comb_of_the_finest_pixels_costs_at_every_size():
    for size in (256, 512):
        comb = torch.tensor([0.1, -0.1]).repeat(size // 2).expand(1, 3, size, size).contiguous()
        assert float(F.avg_pool2d(comb, 2).abs().max()) < 1e-6  # nothing of it in a smaller picture
        assert detail_loss(comb, torch.zeros_like(comb), weights(size), AMPLITUDE) > 0.09


def test_a_full_render_is_compared_at_the_size_of_its_frame():
    target = Target(noise(0)[0], weights()[0], None)
    compare = Comparison([target], None, 0.0, 2.0)
    enlarged = noise(0).repeat_interleave(4, 2).repeat_interleave(4, 3)
    finer = float(grain(enlarged, target))  # steps between enlarged pixels
    assert float(compare.full_loss(0, enlarged, AMPLITUDE)) == pytest.approx(finer, abs=1e-6)
    assert compare.full_loss(0, torch.zeros_like(enlarged), AMPLITUDE) > 0.1


def test_a_network_smaller_than_the_frame_is_compared_enlarged():
    target = Target(torch.zeros(3, 128, 128), weights()[0], None)
    compare = Comparison([target], None, 0.0, 2.0)
    assert compare.full_loss(0, torch.zeros(1, 3, 64, 64), AMPLITUDE) == 0
