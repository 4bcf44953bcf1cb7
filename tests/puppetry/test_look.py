"""A source looks as far from its rest as its driver does."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.progress import silent
from facecodec.puppetry.look import Look, away_from_usual, looking

WHICH = np.array([False, True, True, False])
TURNED = np.array([[0.003, 0.0], [0.02, 0.004], [-0.002, 0.015], [0.0, 0.001]])
AT_REST = np.array([[0.01, -0.02], [-0.03, 0.0]])
FRAMES = 12


def read(controls: np.ndarray) -> np.ndarray:
    """Eyes that follow controls 1 and 2, less so far out, and the head, control 0, a little."""
    return AT_REST + gone(controls)[:, None]


def gone(controls: np.ndarray) -> np.ndarray:
    return 2 * np.tanh(controls @ TURNED / 2)


def moving() -> tuple[np.ndarray, np.ndarray]:
    controls = np.zeros((FRAMES, 4))
    controls[:, 0] = np.linspace(-2, 2, FRAMES)
    controls[:, 1] = 4  # of the driver's tracker: none of it is this face's
    turn = np.sin(np.linspace(0, 3, FRAMES))
    return controls, np.stack([0.04 * turn, -0.01 * turn], 1)


def test_irises_go_where_the_drivers_go():
    controls, away = moving()
    made = looking(read, controls, WHICH, Look(away, np.zeros(4), 5.0), silent)
    assert made is not None
    assert gone(made) == pytest.approx(away, abs=0.004)
    np.testing.assert_array_equal(made[:, ~WHICH], controls[:, ~WHICH])


def test_while_eyes_are_shut_they_go_from_before_to_after():
    controls, away = moving()
    away[4:7] = np.nan
    made = looking(read, controls, WHICH, Look(away, np.zeros(4), 5.0), silent)
    assert made is not None
    assert (made[4:7, 1] > made[3, 1] - 0.5).all() and (np.abs(np.diff(made[:, 1])) < 1).all()


def test_a_control_that_colours_irises_stays_at_rest():
    controls, away = moving()
    controls[:, 3] = 2
    colouring = np.array([False, True, True, True])  # 3 hardly moves them
    made = looking(read, controls, colouring, Look(away, np.zeros(4), 5.0), silent)
    assert made is not None and not made[:, 3].any()
    assert gone(made) == pytest.approx(away, abs=0.004)


def test_no_control_leaves_its_limit():
    controls, away = moving()
    made = looking(read, controls, WHICH, Look(40 * away, np.zeros(4), 5.0), silent)
    assert made is not None and np.abs(made[:, WHICH]).max() <= 5


def test_eyes_that_cannot_be_read_are_left():
    controls, away = moving()
    look = Look(away, np.zeros(4), 5.0)
    blind = lambda rows: np.full((len(rows), 2, 2), np.nan)  # noqa: E731
    assert looking(blind, controls, WHICH, look, silent) is None
    assert looking(read, controls, np.zeros(4, bool), look, silent) is None
    unknown = Look(np.full((FRAMES, 2), np.nan), np.zeros(4), 5.0)
    assert looking(read, controls, WHICH, unknown, silent) is None


def test_it_counts_from_where_the_driver_looks_most():
    one = np.array([[0.1, 0.0]] * 5 + [[0.3, 0.1], [np.nan, np.nan]])
    looks = np.stack([one, one + 0.05], 1)
    away = away_from_usual(looks)
    assert away[:5] == pytest.approx(0, abs=1e-9) and away[5] == pytest.approx([0.2, 0.1])
    assert np.isnan(away[6]).all() and np.isnan(away_from_usual(looks[6:])).all()
