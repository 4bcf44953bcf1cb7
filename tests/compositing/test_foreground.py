"""Colours at an edge, and what is hidden filled in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.compositing.filling import filled
from facecodec.compositing.foreground import foreground
from tests.helpers.pictures import smooth_picture

SIZE = 128


def disc(radius: float, soft: float) -> np.ndarray:
    """Return a disc [S, S] of a radius with a soft edge, both in pixels."""
    axis = np.arange(SIZE) + 0.5 - SIZE / 2
    away = np.hypot(axis[:, None], axis[None, :])
    return np.clip((radius - away) / soft + 0.5, 0, 1).astype(np.float32)


def test_an_edge_loses_the_wall_behind_it():
    alpha = disc(40, 5)
    front, back = np.array([180.0, 90, 60]), np.array([20.0, 200, 230])
    mixed = alpha[..., None] * front + (1 - alpha[..., None]) * back
    square = torch.from_numpy(mixed.astype(np.float32)).permute(2, 0, 1)
    colours = foreground(square, torch.from_numpy(alpha)).permute(1, 2, 0).numpy()
    edge = (alpha > 0.2) & (alpha < 0.8)
    assert np.abs(mixed[edge] - front).mean() > 50
    assert np.abs(colours[edge] - front).mean() < 5
    assert colours[alpha == 1] == pytest.approx(mixed[alpha == 1], abs=1e-2)


def test_what_is_hidden_is_filled_smoothly_and_the_rest_is_kept():
    frame = smooth_picture(90, 140)
    frame[:, :, 0] = np.linspace(20, 220, 140).round().astype(np.uint8)  # a slope across
    hidden = np.zeros((90, 140), np.float32)
    hidden[20:70, 40:100] = 1
    painted = frame.copy()
    painted[hidden == 1] = (0, 255, 0)
    result = filled(painted, hidden)
    assert (result[hidden == 0] == frame[hidden == 0]).all()
    inside = result[25:65, 45:95]
    assert np.abs(inside[..., 0].astype(int) - frame[25:65, 45:95, 0]).max() < 45
    assert np.abs(np.diff(inside.astype(int), axis=1)).max() < 16  # no step


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (33, 5)])
def test_any_size_is_filled(shape):
    frame = smooth_picture(*shape)
    hidden = np.zeros(shape, np.float32)
    assert (filled(frame, hidden) == frame).all()
    assert filled(frame, np.ones(shape, np.float32)).shape == frame.shape
