"""What landmarks say about controls, on a face that moves linearly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.fit.landmark_guide import LandmarkGuide, landmark_guide
from tests.helpers.faces import face

COUNT = 5


def linear_face(seed: int = 0):
    """A reader of landmarks that follow controls linearly, in sides of the square."""
    slopes = np.random.default_rng(seed).normal(0, 0.01, (COUNT, 68, 2))
    rest = face() / 600

    def read(controls: np.ndarray) -> np.ndarray:
        return rest + np.tensordot(controls, slopes, 1)

    return read


def told(guide: LandmarkGuide, change: np.ndarray) -> np.ndarray:
    """The controls that landmarks alone would move by, but for a little stiffness."""
    normal, side = guide.evidence(change, torch.zeros(COUNT, dtype=torch.float64))
    return torch.linalg.solve(normal + 1e-6 * torch.eye(COUNT), side).numpy()


@pytest.fixture
def guide() -> LandmarkGuide:
    made = landmark_guide(linear_face(), COUNT)
    assert made is not None
    return made


def test_a_change_of_landmarks_is_one_of_controls(guide):
    read = linear_face()
    before, after = np.random.default_rng(1).normal(0, 0.1, (2, COUNT))
    change = read(after[None])[0] - read(before[None])[0]
    np.testing.assert_allclose(told(guide, change), after - before, atol=1e-4)
    half = torch.from_numpy(after - before) / 2
    rest = guide.evidence(change, half)[1]
    np.testing.assert_allclose(rest, guide.evidence(change / 2, 0 * half)[1], atol=1e-6)


def test_a_square_that_moves_means_nothing(guide):
    rest = linear_face()(np.zeros((1, COUNT)))[0]
    assert np.abs(told(guide, 1.02 * rest + [0.01, -0.02] - rest)).max() < 1e-6


def test_one_landmark_that_is_read_wrongly_moves_little(guide):
    change = np.zeros((68, 2))
    change[30] = 0.3  # sides of the square
    assert np.abs(told(guide, change)).max() < 0.1


def test_a_face_that_cannot_be_read_gives_no_guide():
    assert landmark_guide(lambda c: np.full((len(c), 68, 2), np.nan), COUNT) is None
