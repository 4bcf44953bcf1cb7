"""Previews corrected for one person: nearer to the full picture, and differentiable."""

from __future__ import annotations

import pytest
import torch

import cuda_ops
from facecodec.fit.controls import typical_controls
from facecodec.generator.preview import PREVIEWS_PER_FULL_RENDER, FramePreviews, PersonalPreview
from facecodec.generator.sampling import draw_latents
from facecodec.generator.stylegan2 import StyleGAN2
from tests.helpers.checkpoints import SMALL, random_tensors


def test_a_preview_fitted_to_a_person_is_near_where_it_was_fitted(generator, rig):
    with torch.no_grad():
        w = draw_latents(generator, 8, seed=0, truncation=0.7)[7:8]
        person = generator.styles(generator.broadcast(w))[0]
        shots = person + 0.5 * typical_controls(35, 5, None) @ rig.basis(generator)
        pictures = generator.shrunk(shots, 128)
        preview = PersonalPreview.measured(generator, shots[:4], 128)

        def away(some, which: slice) -> float:
            return float((some(shots[which]) - pictures[which]).square().mean())

        def anybodys(styles: torch.Tensor) -> torch.Tensor:
            return generator.preview(styles, 128)

        for which in (slice(0, 4), slice(4, 5)):  # where it was fitted, and elsewhere
            assert away(preview, which) < 0.9 * away(anybodys, which)
    moved = shots[4:].clone().requires_grad_(True)
    preview(moved).square().mean().backward()
    assert moved.grad is not None and float(moved.grad.abs().max()) > 0


def test_a_preview_is_the_full_picture_where_it_was_corrected_last(generator, rig):
    with torch.no_grad():
        w = draw_latents(generator, 8, seed=0, truncation=0.7)[7:8]
        person = generator.styles(generator.broadcast(w))
        moved = person + typical_controls(35, 2, None)[1:] @ rig.basis(generator)
        preview = PersonalPreview.measured(generator, person, 64)
        wanted = generator.shrunk(moved, 64)
        before = float((preview(moved) - wanted).abs().max())
        shown = preview.correct(moved, preview(moved))
        assert float((shown - wanted).abs().max()) < 1e-4 < before
        torch.testing.assert_close(preview(moved), shown, atol=1e-5, rtol=0)
        preview.forget()
        assert float((preview(moved) - wanted).abs().max()) == pytest.approx(before, abs=1e-4)


def test_a_fit_sees_full_pictures_every_few_looks(generator):
    full = []
    with torch.no_grad():
        styles = generator.styles(generator.broadcast(draw_latents(generator, 2, 0, 0.5)))
        with cuda_ops.roughly():
            wanted = generator.shrunk(styles, 64)
        shrunk = generator.shrunk
        try:
            generator.shrunk = lambda *given: full.append(1) or shrunk(*given)
            draw = FramePreviews()
            for look in range(PREVIEWS_PER_FULL_RENDER + 1):
                for frame in (0, 1):
                    shown = draw(generator, frame, styles[frame : frame + 1], 64)
                    torch.testing.assert_close(shown[0], wanted[frame], atol=1e-4, rtol=0)
                assert len(full) == (2 if look < PREVIEWS_PER_FULL_RENDER else 4)
        finally:
            del generator.shrunk


def test_any_generator_has_one():
    tensors = {name: torch.from_numpy(value) for name, value in random_tensors(SMALL).items()}
    network = StyleGAN2.from_tensors(tensors, "noise", "0" * 64)
    network.preview_sizes = (32,)
    styles = network.styles(torch.randn(2, network.num_ws, 512) * 0.1)
    with torch.no_grad():
        shown = PersonalPreview.measured(network, styles, 32)(styles)
        error = (shown - network.shrunk(styles, 32)).mean(0)
    assert float(error.abs().max()) == pytest.approx(0, abs=1e-4)


def test_changed_weights_change_the_picture_and_nothing_else(generator):
    name = "3.conv1.weight"
    with torch.no_grad():
        styles = generator.styles(generator.broadcast(generator.w_mean.reshape(1, -1)))
        before = generator.preview(styles, 64)
        other = generator.changed({name: generator.tunable_tensor(name) * 1.1})
        assert float((other.preview(styles, 64) - before).abs().max()) > 0.01
        assert torch.equal(generator.preview(styles, 64), before)
