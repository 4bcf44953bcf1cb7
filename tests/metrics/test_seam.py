"""The seam's measures, on edges that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.metrics.seam import rim_flicker, rim_gradient


def grey(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels.round().astype(np.uint8)[..., None], 3, 2)


def edge() -> np.ndarray:
    """Return what is covered, [20, 30]: the right, over a ramp of 4 pixels."""
    return np.tile(np.clip((np.arange(30) - 13) / 4, 0, 1), (20, 1)).astype(np.float32)


def test_a_slope_across_the_edge_is_its_gradient_and_one_along_it_is_none():
    slope = np.arange(30.0)[None] * 3 + np.zeros((20, 1))
    assert rim_gradient(grey(slope), edge()) == pytest.approx(3)
    assert rim_gradient(grey(np.arange(20.0)[:, None] * 3 + np.zeros((1, 30))), edge()) == 0
    assert rim_gradient(grey(slope), np.ones((20, 30), np.float32)) == 0  # no edge


def test_a_step_away_from_the_edge_does_not_count():
    frame = np.zeros((20, 30))
    frame[:, 25:] = 200
    assert rim_gradient(grey(frame), edge()) == 0
    frame[:, 15:] = 200
    assert rim_gradient(grey(frame), edge()) > 20


def test_steady_change_is_no_flicker():
    frames = [grey(np.full((20, 30), level)) for level in (10.0, 20, 30)]
    assert rim_flicker(frames, edge()) == pytest.approx(0, abs=1e-9)
    frames[1] = grey(np.full((20, 30), 25.0))
    assert rim_flicker(frames, edge()) == pytest.approx(10)
