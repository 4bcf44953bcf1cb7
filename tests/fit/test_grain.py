"""Detail of a full render that no frame shows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facecodec.fit.grain import grain
from facecodec.fit.objective import Target

SIZE, FACTOR = 32, 4


def frame(texture: float = 0.0) -> Target:
    drawn = torch.Generator().manual_seed(0)
    picture = texture * torch.randn(3, SIZE, SIZE, generator=drawn)
    weights = torch.ones(1, SIZE, SIZE)
    weights[..., : SIZE // 2] = 0.25
    return Target(picture, weights, None)


def mesh(where: slice = slice(None)) -> torch.Tensor:
    """A mesh of period 4 at four times the frame's size; its means over 4x4 pixels are zero."""
    line = torch.tensor([0.3, 0.3, -0.3, -0.3]).repeat(SIZE)
    woven = torch.zeros(1, 3, SIZE * FACTOR, SIZE * FACTOR)
    woven[..., where] = (line[:, None] * line.sign())[None, None, :, where]
    return woven


def test_a_mesh_that_no_frame_shows_costs():
    woven = mesh()
    assert float(F.avg_pool2d(woven, FACTOR).abs().max()) < 1e-6  # the frame's pixels know nothing
    # 0.3 in the octave that has it, and most of that in the one between its steps
    assert float(grain(woven, frame())) == pytest.approx(0.52, abs=0.02)
    assert float(grain(torch.zeros_like(woven), frame())) == 0


def test_smooth_pictures_cost_nothing():
    ramp = torch.linspace(-0.3, 0.3, SIZE * FACTOR)[None, None, None]
    assert float(grain(ramp.expand(1, 3, SIZE * FACTOR, -1), frame())) == 0


def test_a_frame_with_texture_of_its_own_warrants_some():
    assert float(grain(mesh(), frame(0.4))) < 0.6 * float(grain(mesh(), frame()))


def test_it_counts_by_the_weights_of_the_pixels():
    half = SIZE * FACTOR // 2
    behind, ahead = (grain(mesh(part), frame()) for part in (slice(half), slice(half, None)))
    assert float(ahead) == pytest.approx(4 * float(behind), rel=0.05)


def test_a_network_no_larger_than_the_frame_has_none():
    assert float(grain(mesh()[..., :SIZE, :SIZE], frame())) == 0


def test_gradients_take_the_mesh_away():
    woven = mesh().requires_grad_(True)
    grain(woven, frame()).backward()
    with torch.no_grad():
        fainter = woven - 1e3 * woven.grad
    assert float(grain(fainter, frame())) < float(grain(woven.detach(), frame()))
