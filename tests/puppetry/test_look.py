"""A source looks as far from their rest as the driver does."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.puppetry.look import away_from_usual, looking

WHICH = np.array([False, True, True, True])
TURNED = np.array([[0.003, 0.0], [0.02, 0.004], [-0.002, 0.015], [0.0, 0.001]])  # 3 colours irises
AT_REST = np.array([[0.01, -0.02], [-0.03, 0.0]])
LIMIT, FRAMES = 5.0, 12


def read(controls: np.ndarray) -> np.ndarray:
    """Eyes that follow controls 1 and 2, less so far out."""
    return AT_REST + gone(controls)[:, None]


def gone(controls: np.ndarray) -> np.ndarray:
    return 2 * np.tanh(controls @ TURNED / 2)


def moving() -> np.ndarray:
    turn = np.sin(np.linspace(0, 3, FRAMES))
    return np.stack([0.04 * turn, -0.01 * turn], 1)


def found(away: np.ndarray) -> np.ndarray:
    made = looking(read, WHICH, away, LIMIT)
    assert made is not None and made.shape == (len(away), 3)
    assert not made[:, 2].any()
    return np.concatenate([np.zeros((len(away), 1)), made], axis=1)


def test_irises_go_where_the_drivers_go():
    assert gone(found(moving())) == pytest.approx(moving(), abs=0.006)


def test_while_eyes_are_shut_they_go_from_before_to_after():
    away = moving()
    away[4:7] = np.nan
    assert gone(found(away)) == pytest.approx(moving(), abs=0.012)


def test_no_control_leaves_its_limit():
    assert np.abs(found(40 * moving())).max() <= LIMIT


def test_eyes_that_cannot_be_read_are_left():
    blind = lambda rows: np.full((len(rows), 2, 2), np.nan)  # noqa: E731
    assert looking(blind, WHICH, moving(), LIMIT) is None
    assert looking(read, np.zeros(4, bool), moving(), LIMIT) is None
    assert looking(read, WHICH, np.full((FRAMES, 2), np.nan), LIMIT) is None


def test_it_counts_from_where_the_driver_looks_most():
    one = np.array([[0.1, 0.0]] * 5 + [[0.3, 0.1], [np.nan, np.nan]])
    looks = np.stack([one, one + 0.05], 1)
    away = away_from_usual(looks)
    assert away[:5] == pytest.approx(0, abs=1e-9) and away[5] == pytest.approx([0.2, 0.1])
    assert np.isnan(away[6]).all() and np.isnan(away_from_usual(looks[6:])).all()
