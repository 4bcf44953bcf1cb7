"""Correlation, jitter and lip error on made-up motion with known answers."""

import numpy as np
import pytest

from facecodec.face.mask import face_mask
from facecodec.metrics.landmarker import angles
from facecodec.metrics.temporal import correlation, jitter, lip_errors

TIME = np.linspace(0, 6, 90)


@pytest.fixture
def face():
    """Landmarks [90, 68, 2] of a face that nods; the eyes are 40 pixels apart."""
    rng = np.random.default_rng(1)
    points = rng.uniform(60, 200, (68, 2))
    points[36:42], points[42:48] = (100, 100), (140, 100)
    return points + np.stack([3 * np.sin(TIME), 5 * np.cos(TIME)], 1)[:, None]


def test_one_signal_is_pearson():
    a = np.sin(TIME)
    b = a + np.random.default_rng(0).normal(0, 0.5, len(a))
    assert correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlation(a, 3 * a + 7) == pytest.approx(1)
    assert correlation(a, -a) == pytest.approx(-1)


def test_signals_count_by_how_much_they_move():
    rng = np.random.default_rng(0)
    moving = np.sin(TIME)
    still = 1e-3 * rng.normal(size=(2, 90))  # noise in a signal that hardly moves
    together = correlation(np.stack([moving, still[0]], 1), np.stack([moving, still[1]], 1))
    assert together > 0.999
    # and signals of different sign do not add up to something else
    assert correlation(np.stack([moving, -moving], 1), np.stack([-moving, moving], 1)) < -0.999


def test_frames_without_a_face_are_left_out():
    a = np.sin(TIME)
    b = a.copy()
    b[10:20] = np.nan
    assert correlation(a, b) == pytest.approx(1)
    b[:] = np.nan
    assert correlation(a, b) is None


def test_nothing_to_correlate():
    assert correlation(np.ones(50), np.sin(np.arange(50))) is None
    assert correlation(np.sin(TIME), np.ones(90)) == 0
    assert correlation(np.array([0.0, 1.0]), np.array([0.0, 1.0])) is None
    with pytest.raises(ValueError, match="one shape"):
        correlation(np.ones(5), np.ones(6))


def test_jitter_sees_trembling_and_not_offset(face):
    rng = np.random.default_rng(2)
    assert jitter(face, face) == 0
    assert jitter(face, face + 4) == pytest.approx(0, abs=1e-12)
    small = jitter(face, face + rng.normal(0, 0.2, (90, 1, 2)))
    large = jitter(face, face + rng.normal(0, 0.8, (90, 1, 2)))
    assert 0 < small < large / 3
    assert jitter(face[:2], face[:2]) is None


def test_lip_error_is_about_the_shape_of_the_mouth(face):
    moved = face + 9
    assert lip_errors(face, moved) == pytest.approx(np.zeros(90), abs=1e-12)
    open_mouth = face.copy()
    open_mouth[:, 54:60, 1] += 10
    by_hand = 10 * np.where(np.isin(np.arange(48, 68), np.arange(54, 60)), 0.7, 0.3).mean() / 40
    assert lip_errors(face, open_mouth) == pytest.approx(np.full(90, by_hand))


def test_mask_is_the_hull_of_the_landmarks():
    points = np.full((68, 2), 50.0)
    points[0], points[8], points[16], points[20] = (10, 20), (50, 90), (90, 20), (50, 10)
    mask = face_mask(points, 100)
    assert mask[50, 50] and mask[15, 50] and mask[85, 50]
    assert not mask[5, 50] and not mask[80, 20] and not mask[95, 50]
    area = 0.5 * 80 * 70 + 0.5 * 80 * 10
    assert mask.sum() == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize("wanted", [(20, 0, 0), (0, -15, 0), (0, 0, 10), (25, 10, -5)])
def test_angles_of_a_rotation(wanted):
    y, x, z = np.radians(wanted)
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = 1.7 * about_y @ about_x @ about_z
    assert angles(matrix) == pytest.approx(np.array(wanted, float), abs=1e-9)
