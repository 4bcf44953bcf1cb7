"""A driver's head moves its source's square."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.face.alignment import Alignment
from facecodec.puppetry.head_motion import MOVE_LIMITS, head_moves, moved

T = 9


def resting() -> np.ndarray:
    return np.tile([200.0, 150.0, 100.0, 0.3], (T, 1))


def test_a_head_that_rests_stays():
    assert head_moves(resting(), 4, 1.0) == pytest.approx(0)
    place = Alignment(50, 60, 40, 0.1)
    assert moved(place, np.zeros(4)).as_array() == pytest.approx(place.as_array())


def test_a_move_is_the_drivers_in_the_sources_square():
    places = resting()
    places[7:, :2] += 2 * np.array([np.cos(0.3), np.sin(0.3)])  # right, as the head is rolled
    places[7:, 3] += 0.05
    moves = head_moves(places, 2, 1.0)
    assert moves[:7] == pytest.approx(0)
    assert moves[8] == pytest.approx([0.02, 0, 0.05, 0], abs=1e-3)
    there = moved(Alignment(0, 0, 50, np.pi / 2), moves[8])
    assert [there.x, there.y] == pytest.approx([0, 1.0], abs=0.02)  # its own right is downwards
    assert there.angle == pytest.approx(np.pi / 2 + 0.05, abs=1e-3)


def test_half_the_strength_is_half_the_way_and_none_none():
    places = resting()
    places[5:, 0] += 3
    whole, half = head_moves(places, 0, 1.0)[8], head_moves(places, 0, 0.5)[8]
    assert half[:2] == pytest.approx(whole[:2] / 2, rel=0.1)
    assert not head_moves(places, 0, 0.0).any()


def test_a_head_does_not_leave_its_shoulders():
    places = resting()
    places[6:] = [900, 700, 400, 2.0]
    assert (np.abs(head_moves(places, 0, 1.0)) <= MOVE_LIMITS).all()


def test_frames_without_a_square_are_bridged():
    places = resting()
    places[6:, 0] += 4
    places[3:6] = np.nan
    moves = head_moves(places, 0, 1.0)
    assert np.isfinite(moves).all()
    assert (np.diff(moves[2:7, 0]) > 0).all()
    assert not head_moves(np.full((T, 4), np.nan), 0, 1.0).any()


def test_an_angle_that_goes_round_is_no_turn():
    places = resting()
    places[:, 3] = np.pi - 0.01
    places[5:, 3] = -np.pi + 0.01
    assert np.abs(head_moves(places, 0, 1.0)[:, 2]).max() == pytest.approx(0.02, abs=1e-3)
