"""What landmarks say about controls, on a face that moves linearly."""

from __future__ import annotations

import numpy as np

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


def test_a_change_of_landmarks_is_one_of_controls():
    read = linear_face()
    guide = landmark_guide(read, np.full(COUNT, 1.0))
    assert guide is not None
    before, after = np.random.default_rng(1).normal(0, 1, (2, COUNT))
    answer = guide(read(after[None])[0] - read(before[None])[0]).numpy()
    np.testing.assert_allclose(answer, after - before, atol=0.05)


def test_a_square_that_moves_means_nothing():
    read = linear_face()
    guide = landmark_guide(read, np.full(COUNT, 1.0))
    assert guide is not None
    rest = read(np.zeros((1, COUNT)))[0]
    assert np.abs(guide(1.02 * rest + [0.01, -0.02] - rest).numpy()).max() < 1e-6


def test_still_landmarks_move_nothing():
    guide = LandmarkGuide.of(np.ones((136, COUNT)), face() / 600, np.full(COUNT, 1.0))
    assert not guide(np.zeros((68, 2))).any()


def test_a_face_that_cannot_be_read_gives_no_guide():
    assert landmark_guide(lambda c: np.full((len(c), 68, 2), np.nan), np.full(COUNT, 1.0)) is None
