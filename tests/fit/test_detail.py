"""Detail of full renders: as much of it as the frame has, wherever it lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facecodec.fit.comparison import Comparison
from facecodec.fit.detail import (
    DetailWeights,
    amplitude_difference,
    colour_loss,
    detail_loss,
)
from facecodec.fit.grain import grain
from facecodec.fit.objective import Target, band

USUAL = DetailWeights()


def noise(seed: int, size: int = 128, strength: float = 0.2) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return strength * torch.randn(1, 3, size, size, generator=drawn)


def weights(size: int = 128) -> torch.Tensor:
    return torch.ones(1, 1, size, size)


def test_hair_in_the_wrong_place_is_not_made_fainter():
    """Differences alone shrink what lies elsewhere; its amplitude keeps it."""
    faint = [noise(seed, strength=0.02) for seed in (0, 1)]

    def slope(how: DetailWeights) -> float:
        amount = torch.ones((), requires_grad=True)
        loss = detail_loss(0.7 * amount * faint[1], faint[0], weights(), how)
        loss.backward()
        return float(amount.grad)

    assert slope(DetailWeights(amplitude=0)) > 0 > slope(USUAL)


@pytest.mark.parametrize("strength", [0.02, 0.2])
def test_half_the_detail_is_as_far_as_twice_of_it(strength):
    _, detail = band(noise(0, strength=strength))
    half = amplitude_difference(0.5 * detail, detail, weights())
    twice = amplitude_difference(2 * detail, detail, weights())
    assert float(half) == pytest.approx(float(twice), rel=0.1)
    assert amplitude_difference(detail, detail, weights()) == 0


def test_a_patch_that_has_most_of_its_detail_pulls_less_than_one_that_lacks_it():
    _, detail = band(noise(0))

    def pull(amount: float) -> float:
        share = torch.full((), amount, requires_grad=True)
        amplitude_difference(share * detail, detail, weights()).backward()
        return -amount * float(share.grad)  # of the logarithm

    assert 0 < pull(0.95) < 0.4 * pull(0.7)
    assert pull(0.5) == pytest.approx(pull(0.7), rel=0.05)


def test_detail_where_nothing_counts_does_not_count():
    _, detail = band(noise(0))
    left = weights()
    left[..., 64:] = 0
    changed = detail.clone()
    changed[..., 64:] = 0
    assert float(amplitude_difference(changed, detail, left)) == pytest.approx(0, abs=1e-6)
    assert amplitude_difference(changed, detail, weights()) > 0.01


def test_soft_eyes_cost_more_than_a_soft_cheek_of_their_size():
    """A soft iris is a hundredth of a square; weights above the skin's say where it is."""
    frame = noise(0, 256)
    special = weights(256)
    special[..., 96:128, 64:96] = 5.0

    def loss(left: int, how: DetailWeights) -> float:
        soft = frame.clone()
        part = soft[..., 96:128, left : left + 32]
        part[:] = F.interpolate(F.avg_pool2d(part, 4), scale_factor=4, mode="bilinear")
        return float(detail_loss(soft, frame, special, how))

    with_features = loss(64, USUAL) - loss(160, USUAL)
    without = DetailWeights(features=0)
    assert with_features > 1.5 * (loss(64, without) - loss(160, without)) > 0


def test_without_landmarks_no_feature_is_looked_for():
    frame = noise(0)
    assert float(detail_loss(frame, frame, weights(), USUAL)) == 0
    soft = 0.5 * frame
    same = [detail_loss(soft, frame, weights(), how) for how in (USUAL, DetailWeights(features=0))]
    assert float(same[0]) == pytest.approx(float(same[1]))


def test_a_comb_of_the_finest_pixels_costs_at_every_size():
    for size in (256, 512):
        comb = torch.tensor([0.1, -0.1]).repeat(size // 2).expand(1, 3, size, size).contiguous()
        assert float(F.avg_pool2d(comb, 2).abs().max()) < 1e-6  # nothing of it in a smaller picture
        assert detail_loss(comb, torch.zeros_like(comb), weights(size), USUAL) > 0.09


def test_the_finest_octave_of_the_largest_pictures_is_compared_in_grey():
    for size, seen in (512, True), (1024, False):
        red = torch.tensor([0.1, -0.1]).repeat(size // 2).expand(1, 1, size, size)
        comb = torch.cat([red, -red, 0 * red], dim=1).contiguous()
        loss = detail_loss(comb, torch.zeros_like(comb), weights(size), USUAL)
        assert (loss > 0.05) == seen


def test_a_full_render_is_compared_at_the_size_of_its_frame():
    target = Target(noise(0)[0], weights()[0], None)
    compare = Comparison([target], None, 0.0, 2.0)
    enlarged = noise(0).repeat_interleave(4, 2).repeat_interleave(4, 3)
    finer = USUAL.grain * float(grain(enlarged, target))  # steps between enlarged pixels
    assert float(compare.full_loss(0, enlarged, USUAL)) == pytest.approx(finer, abs=1e-6)
    assert compare.full_loss(0, torch.zeros_like(enlarged), USUAL) > 0.1


def test_a_network_smaller_than_the_frame_is_compared_enlarged():
    target = Target(torch.zeros(3, 128, 128), weights()[0], None)
    compare = Comparison([target], None, 0.0, 2.0)
    assert compare.full_loss(0, torch.zeros(1, 3, 64, 64), USUAL) == 0


def test_a_hue_that_is_off_weighs_more_than_as_much_light():
    grey = torch.full((1, 3, 128, 128), 0.2)
    lighter = grey + 0.02
    redder = grey + torch.tensor([0.03, -0.03, 0.0])[None, :, None, None]
    assert colour_loss(redder, grey, weights(64)) > 2 * colour_loss(lighter, grey, weights(64))


def test_equal_colours_have_a_gradient_and_displaced_detail_none():
    render = torch.zeros(1, 3, 256, 256, requires_grad=True)
    colour_loss(render, torch.zeros(1, 3, 256, 256), weights(64)).backward()
    assert torch.isfinite(render.grad).all()
    hair = torch.tensor([0.3, -0.3]).repeat(128).expand(1, 3, 256, 256).contiguous()
    assert colour_loss(hair, hair.flip(3), weights(64)) < 1e-3


def test_colour_counts_in_the_inner_face_and_not_where_something_hides_it():
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    landmarks = 0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    picture = torch.zeros(3, 256, 256)
    hidden = torch.ones(1, 256, 256)
    hidden[:, :, :128] = 0
    seen, half = (Target(picture, shown, landmarks) for shown in (torch.ones(1, 256, 256), hidden))
    whole, right = (Comparison([target], None, 0.0, 2.0).skin[0] for target in (seen, half))
    assert whole[0, 0, 40, 32] > 10 * whole[0, 0, 2, 2] > 0
    assert right[0, 0, 40, 20] == 0 < right[0, 0, 40, 44]
