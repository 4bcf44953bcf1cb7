"""Where a face looks: the dark of its eyes."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.face.gaze import gaze, moved_together
from facecodec.face.layout import LEFT_EYE, RIGHT_EYE

WIDTH = 30.0  # pixels of an eye


def face(gap: float = 0.36, right_gap: float | None = None, roll: float = 0.0) -> np.ndarray:
    """Landmarks of two eyes whose lids are `gap` of their width apart."""
    points = np.zeros((68, 2))
    corner, lid = WIDTH / 2, WIDTH / 6
    for eye, x, open_ in ((LEFT_EYE, 80, gap), (RIGHT_EYE, 170, right_gap or gap)):
        half = open_ * WIDTH / 2
        points[eye] = [[-corner, 0], [-lid, -half], [lid, -half], [corner, 0],
                       [lid, half], [-lid, half]]  # fmt: skip
        points[eye] += [x, 100]
    return about_middle(points, roll)


def about_middle(points: np.ndarray, roll: float) -> np.ndarray:
    cos, sin = np.cos(roll), np.sin(roll)
    return (points - 128) @ np.array([[cos, sin], [-sin, cos]]) + 128


def drawn(irises: list[tuple[float, float]], roll: float = 0.0) -> np.ndarray:
    """A bright face with dark discs at `irises`, pixels right and down of each eye's middle."""
    rows, columns = np.mgrid[:256, :256] + 0.5
    picture = np.full((256, 256), 220.0)
    for (x, y), middle in zip(irises, (80, 170), strict=True):
        centre = about_middle(np.array([[middle + x, 100 + y]]), roll)[0]
        picture[np.hypot(columns - centre[0], rows - centre[1]) < 5] = 40
    return np.repeat(picture[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize("roll", [0.0, 0.3])
def test_it_lies_where_the_irises_lie(roll):
    ahead = gaze(drawn([(0, 0), (0, 0)], roll), face(roll=roll))
    assert ahead == pytest.approx(np.zeros((2, 2)), abs=0.01)
    right = gaze(drawn([(4, 0), (-3, 0)], roll), face(roll=roll))
    assert right == pytest.approx(np.array([[4, 0], [-3, 0]]) / WIDTH, abs=0.02)
    down = gaze(drawn([(0, 2), (0, 2)], roll), face(roll=roll))
    assert (down[:, 1] > 0.02).all() and (np.abs(down[:, 0]) < 0.01).all()


def test_an_eye_that_is_shut_tells_nothing():
    winking = gaze(drawn([(4, 0), (4, 0)]), face(0.36, right_gap=0.05))
    assert winking[0, 0] == pytest.approx(4 / WIDTH, abs=0.02) and np.isnan(winking[1]).all()
    assert np.isnan(gaze(drawn([(4, 0), (4, 0)]), face(0.05))).all()


def test_a_picture_without_shades_or_that_ends_there():
    assert np.isnan(gaze(np.full((256, 256, 3), 90, np.uint8), face())).all()
    assert gaze(drawn([(0, 0), (0, 0)])[:101, :172], face()).shape == (2, 2)


def test_what_one_eye_alone_does_is_no_gaze():
    eyes = np.array([
        [[0.10, -0.02], [0.04, 0.03]], [[-0.1, 0], [-0.2, 0]], [[0.1, 0.2], [np.nan, np.nan]],
        np.full((2, 2), np.nan),
    ])  # fmt: skip
    found = moved_together(eyes)
    assert found[:3] == pytest.approx(np.array([[0.04, 0], [-0.1, 0], [0.1, 0.2]]))
    assert np.isnan(found[3]).all()
