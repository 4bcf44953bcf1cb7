"""Short previews: a person drawn from the middle of the network."""

from __future__ import annotations

import pytest
import torch

from facecodec.fit.controls import typical_controls
from facecodec.generator.preview import PersonalPreview
from facecodec.generator.sampling import draw_latents
from facecodec.generator.short_preview import ShortPreview, can_draw, weight_shape
from facecodec.generator.stylegan2 import StyleGAN2
from tests.helpers.checkpoints import SMALL, random_tensors


@pytest.fixture(scope="module")
def shots(generator, rig):
    """Styles of one person at rest and at 14 other controls."""
    with torch.no_grad():
        w = draw_latents(generator, 8, seed=0, truncation=0.7)[7:8]
        person = generator.styles(generator.broadcast(w))[0]
        return person + 0.5 * typical_controls(35, 15, None) @ rig.basis(generator)


@pytest.mark.parametrize("size", [64, 128])
def test_it_shows_a_person_where_it_was_not_fitted(generator, shots, size):
    with torch.no_grad():
        short = ShortPreview.fitted(generator, shots[:12], size)
        wanted = generator.shrunk(shots[12:], size)
        error = float((short(shots[12:]) - wanted).square().mean())
        of_the_person_at_rest = float((short(shots[:1]) - wanted).square().mean())
    assert error < 0.2 * of_the_person_at_rest
    assert short.weight.shape == weight_shape(generator, size)


def test_it_is_nearer_than_a_preview_of_the_same_size_that_costs_as_much(generator, shots):
    with torch.no_grad():
        wanted = generator.shrunk(shots[12:], 64)
        short, usual = (
            float((kind(generator, shots[:12], 64)(shots[12:]) - wanted).square().mean())
            for kind in (ShortPreview.fitted, PersonalPreview.measured)
        )
    assert short < usual


def test_pixels_that_count_more_are_drawn_nearer(generator, shots):
    eyes, weights = (slice(None), slice(None), slice(24, 32), slice(16, 48)), torch.ones(64, 64)
    weights[eyes[2:]] = 50.0
    with torch.no_grad():
        wanted = generator.shrunk(shots[:8], 64)[eyes]
        plain, weighted = (
            float((ShortPreview.fitted(generator, shots[:8], 64, of)(shots[:8])[eyes] - wanted)
                  .square().mean())
            for of in (None, weights)
        )  # fmt: skip
    assert weighted < plain


@pytest.mark.parametrize("size", [64, 128])
def test_what_a_map_draws_is_the_map_of_the_features(generator, shots, size):
    short = ShortPreview.fitted(generator, shots[:2], size)
    with torch.no_grad():
        features = generator.middle_features(shots[2:3])
        channels = torch.einsum("oc,nchw->nohw", short.weight, features)
        drawn = generator.drawn_from_middle(shots[2:3], short.weight)
        low = channels[:, :3] if size == 64 else channels[:, :3] / 2
        small = torch.nn.functional.avg_pool2d(drawn, size // 64)
        torch.testing.assert_close(small, low, atol=1e-3, rtol=1e-3)
        # the mean over all renders that it was fitted to is right to the last pixel
        fitted = short(shots[:2]).mean(0)
        torch.testing.assert_close(
            fitted, generator.shrunk(shots[:2], size).mean(0), atol=2e-3, rtol=0
        )


def test_a_network_of_which_no_middle_is_known_has_none():
    network = StyleGAN2.from_tensors(random_tensors(SMALL), "small", "00")
    assert not can_draw(network, 64)
    with pytest.raises(ValueError, match="no middle"):
        network.drawn_from_middle(torch.zeros(1, network.num_styles), torch.zeros(3, 8))
