"""Squares and controls that come frame by frame are those of a whole clip's past."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.face.alignment import stabilise
from facecodec.face.steady_square import SteadySquare
from facecodec.fit.smoothing import CausalFilter, smooth
from tests.helpers.faces import face


def test_squares_frame_by_frame_are_those_of_the_past():
    rng = np.random.default_rng(1)
    faces = [
        None
        if 30 <= i < 35
        else face(300 + 3 * i, 200, 1 + 0.002 * i, 0.01 * i) + rng.normal(0, 1, (68, 2))
        for i in range(90)
    ]
    steady = SteadySquare()
    for wanted, points in zip(stabilise(faces, causal=True), faces, strict=True):
        square = steady.add(points)
        assert square is not None
        np.testing.assert_allclose(square.as_array(), wanted.as_array(), rtol=1e-9, atol=1e-9)


def test_the_square_of_a_known_person_fits_their_face_at_rest():
    rest = face(150, 100, 0.8) / 320  # of a square of 320 pixels
    steady = SteadySquare(rest)
    open_mouth = face(400, 300, 1.6)
    open_mouth[[48, 54], 1] += 40  # which makes the FFHQ square larger
    for _ in range(30):
        square = steady.add(open_mouth)
    assert square is not None
    assert square.size == pytest.approx(640)


def test_frame_by_frame_a_known_person_has_the_squares_of_the_past():
    rng = np.random.default_rng(3)
    rest = face(150, 100, 0.8) / 320
    faces = [face(300 + i, 200, 1 + 0.003 * i) + rng.normal(0, 1, (68, 2)) for i in range(60)]
    steady = SteadySquare(rest)
    for wanted, points in zip(stabilise(faces, causal=True, rest=rest), faces, strict=True):
        square = steady.add(points)
        assert square is not None
        np.testing.assert_allclose(square.as_array(), wanted.as_array(), rtol=1e-9, atol=1e-9)


def test_a_known_person_is_as_large_whatever_part_of_a_clip_is_read():
    """No control makes a face larger than the person is at rest in their own square."""
    rest = face(150, 100, 0.8) / 320
    faces = [face(400, 300, 1.6) for _ in range(40)]
    for points in faces[:10]:
        points[[48, 54], 1] += 60  # a mouth that is open in all of a short part
    for part in (faces, faces[:10]):
        assert stabilise(part, rest=rest)[0].size == pytest.approx(640)
    assert stabilise(faces[:10])[0].size > 1.03 * stabilise(faces)[0].size


def test_a_square_goes_with_a_head_that_moves():
    """It once lagged three frames behind: 15 pixels of these."""
    steady = SteadySquare()
    for i in range(40):
        square = steady.add(face(300 + 5 * max(0, i - 20)))
    still = SteadySquare().add(face(300))
    assert square is not None and still is not None
    assert square.x - still.x == pytest.approx(95, abs=1)


def test_a_face_read_wrongly_once_does_not_move_the_square():
    steady = SteadySquare()
    places = [steady.add(face(300 if i != 20 else 370)) for i in range(40)]
    assert [place.x for place in places if place] == pytest.approx([places[0].x] * 40, abs=1e-6)


def test_a_head_that_is_elsewhere_stays_there():
    """A cut moves it farther than any head moves: believed one frame later."""
    steady = SteadySquare()
    places = [steady.add(face(300 if i < 20 else 500)) for i in range(60)]
    assert places[-1].x - places[0].x == pytest.approx(200, abs=1)


def test_no_square_before_the_first_face():
    assert SteadySquare().add(None) is None


def test_controls_frame_by_frame_are_those_of_the_past():
    rng = np.random.default_rng(2)
    controls = rng.normal(0, 1, (20, 6))
    roots = rng.normal(0, 2, (20, 6, 6))
    information = roots @ roots.transpose(0, 2, 1)
    information[7] = 0  # a frame without a face
    motion = rng.uniform(0.3, 1, 6)
    step = CausalFilter(motion)
    given = zip(controls, information, strict=True)
    np.testing.assert_allclose(
        [step.add(*frame) for frame in given], smooth(controls, information, motion, causal=True)
    )
