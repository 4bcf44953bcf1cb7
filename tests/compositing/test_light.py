"""Light matched where a square and its frame show the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.compositing.light import FRAMES, GRID, LARGEST_DIFFERENCE, Light
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from tests.helpers.pictures import smooth_picture

PLACE = Alignment(100, 90, 120, 0.2)
RIM = torch.zeros(120, 120)
RIM[80:110, 30:90] = 1  # a neck


def square_of(frame: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crop(frame, PLACE, 120).astype(np.float32)).permute(2, 0, 1)


def brighter(frame: np.ndarray, by: float) -> np.ndarray:
    return (frame.astype(float) + by).clip(0, 255).round().astype(np.uint8)


def frame() -> np.ndarray:
    return (smooth_picture(190, 210) * 0.5 + 60).round().astype(np.uint8)


def test_the_same_light_needs_no_change():
    off = Light().difference(frame(), PLACE, square_of(frame()), RIM)
    assert off.shape == (3, GRID, GRID)
    assert off.abs().max() < 1


def test_other_light_is_followed_at_the_rim_and_less_far_from_it():
    off = Light().difference(brighter(frame(), 12), PLACE, square_of(frame()), RIM)
    assert off[:, 48:53, 27:37].numpy() == pytest.approx(12, abs=2)
    assert off[:, :10].abs().max() < off[:, 48:53, 27:37].min()


def test_another_thing_is_not_taken_for_light():
    white = np.full((190, 210, 3), 255, np.uint8)
    off = Light().difference(white, PLACE, torch.zeros(3, 120, 120), RIM)
    assert off.abs().max() <= LARGEST_DIFFERENCE


def test_light_that_flickers_is_averaged_over_frames():
    light, square = Light(), square_of(frame())
    steps = [
        float(light.difference(brighter(frame(), by), PLACE, square, RIM)[:, 50, 32].mean())
        for by in [0, 12] * 20
    ]
    assert abs(steps[-1] - steps[-2]) < 2.5 * 12 / FRAMES
    assert 3 < np.mean(steps[-8:]) < 9


def test_nothing_at_the_rim_changes_nothing():
    off = Light().difference(
        brighter(frame(), 12), PLACE, square_of(frame()), torch.zeros(120, 120)
    )
    assert not off.any()
