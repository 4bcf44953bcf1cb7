"""A person painted in C++ looks as one painted with torch."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from facecodec.compositing import compiled, painting
from facecodec.compositing.placing import Window, sampled, unit_points
from facecodec.face.alignment import Alignment
from facecodec.face.crop import summed_levels
from facecodec.face.matte import INPUT_SIZE
from tests.helpers.pictures import smooth_picture


@pytest.fixture
def library():
    found = compiled.library()
    if found is None:
        pytest.skip("the library cannot be built here")
    return found


def fields(seed: int) -> torch.Tensor:
    """Return fields of a square: lines of a round person, ends, and some light."""
    axis = torch.linspace(-1, 1, 32)
    person = ((0.7 - torch.hypot(axis, axis[:, None])) * 4).clamp(0, 1)
    slope = torch.randn(32, 32, generator=torch.Generator().manual_seed(seed)) * 0.3
    light = 20 * torch.stack([axis.expand(32, 32), -axis.expand(32, 32), person])
    ends = (1.2 - axis.abs()[:, None]).clamp(0, 1).expand(32, 32)
    return torch.cat([torch.stack([slope, person - slope / 2, ends]), light])


@pytest.mark.parametrize(
    ("place", "side"),
    [
        (Alignment(60, 50, 70, 0.0), 128),
        (Alignment(60, 50, 150, 0.3), 128),
        (Alignment(5, 90, 97.3, -0.8), 64),
        (Alignment(60, 50, 20, 0.1), 256),  # shrunk by eight
        (Alignment(110, 20, 33, 3.0), 40),
    ],
)
def test_both_ways_paint_the_same(place, side, library, monkeypatch):
    frame, square = smooth_picture(100, 130), smooth_picture(side, side)[::-1].copy()
    window = Window.of(place, (130, 100))
    step = max(int(place.size / 32), 1)
    coarse = sampled(fields(side), unit_points(place, window, step))
    both = torch.rand(6, 16, 16, generator=torch.Generator().manual_seed(1)) * 255
    painted = []
    for way in (library, None):
        monkeypatch.setattr(compiled, "library", lambda way=way: way)
        result = frame.copy()
        sums = summed_levels(square, place.size)
        painting.paint(result, sums, (coarse, both), (place, window, step))
        painted.append(result.astype(int))
    assert (painted[0] != frame).any(-1).mean() > 0.004
    assert np.abs(painted[0] - painted[1]).max() <= 1
    assert (painted[0] != painted[1]).mean() < 0.01


@pytest.mark.parametrize("side", [128, 256, 1024])
def test_both_ways_shrink_to_the_same(side, library, monkeypatch):
    square = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    quick = painting.small_square(square)
    monkeypatch.setattr(compiled, "library", lambda: None)
    assert quick.shape == (3, INPUT_SIZE, INPUT_SIZE)
    assert torch.allclose(quick, painting.small_square(square), atol=1e-3)


def test_a_square_whose_side_is_no_multiple_is_shrunk_too():
    assert painting.small_square(smooth_picture(150, 150)).shape == (3, INPUT_SIZE, INPUT_SIZE)


def test_the_structure_is_the_compilers(library):
    assert library.facecodec_paint_size() == ctypes.sizeof(compiled.Job)


def test_without_a_compiler_torch_paints(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path))
    caplog.set_level("INFO", "cuda_ops")
    compiled.library.cache_clear()
    try:
        assert compiled.library() is None
    finally:
        compiled.library.cache_clear()
    assert "no compiler" in caplog.messages[-1]
