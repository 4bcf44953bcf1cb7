"""A hand before a driver's face: what it hides goes on from before to after."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.face.expression import BROW_FEATURES, LID_FEATURES, LIP_FEATURES, NUM_FEATURES
from facecodec.puppetry import hidden
from facecodec.puppetry.hidden import PITCH, bridged, hidden_features, seen_face
from facecodec.puppetry.retarget import OFFSET_LIMIT, _gaze


def face() -> np.ndarray:
    points = np.full((68, 2), 0.5)
    points[48:] = np.linspace([0.4, 0.7], [0.6, 0.8], 20)
    points[36:48] = np.linspace([0.3, 0.4], [0.7, 0.4], 12)
    points[17:27] = np.linspace([0.3, 0.3], [0.7, 0.3], 10)
    return points


@pytest.mark.parametrize(
    ("rows", "lips", "lids"),
    [((160, 256), True, False), ((80, 120), False, True), ((0, 0), False, False)],
)
def test_what_lies_under_the_hand_cannot_be_read(rows, lips, lids, monkeypatch):
    clear = torch.ones(1, 256, 256)
    clear[:, rows[0] : rows[1]] = 0
    monkeypatch.setattr(hidden, "visible", lambda square, landmarks: clear)
    told = hidden_features(np.zeros((256, 256, 3), np.uint8), face())
    assert told.shape == (NUM_FEATURES,)
    assert (told[LIP_FEATURES] == lips).all() and told[PITCH] == lips
    assert (told[LID_FEATURES] == lids).all() and not told[BROW_FEATURES].any()


def test_it_goes_on_from_before_to_after():
    known = np.tile(np.arange(8.0)[:, None] ** 2, (1, 3))
    known[6] = np.nan  # no face there
    covered = np.zeros(known.shape, bool)
    covered[2:5, 0] = True
    covered[5:, 1] = True
    covered[:, 2] = True
    made = bridged(known, covered)
    np.testing.assert_allclose(made[:6, 0], [0, 1, 7, 13, 19, 25])
    np.testing.assert_allclose(made[[0, 4, 5, 7], 1], [0, 16, 16, 16])
    np.testing.assert_array_equal(made[:, 2], known[:, 2])
    assert np.isnan(made[6]).all()


class ThreeFrames:
    """A clip of three frames, of which a hand is before the second."""

    features = np.zeros((3, NUM_FEATURES))
    occluded = np.array([False, True, False])
    landmarks = np.tile(face(), (3, 1, 1))

    def __len__(self) -> int:
        return 3

    def squares(self, size):
        return enumerate(np.zeros((3, size, size, 3), np.uint8))

    def squares_at(self, frames):
        return {frame: np.zeros((256, 256, 3), np.uint8) for frame in frames}


@pytest.mark.parametrize(("rows", "hidden_eyes"), [((80, 120), True), ((160, 256), False)])
def test_a_hand_before_the_eyes_hides_where_they_look(rows, hidden_eyes, monkeypatch):
    clear = torch.ones(1, 256, 256)
    clear[:, rows[0] : rows[1]] = 0
    monkeypatch.setattr(hidden, "visible", lambda square, landmarks: clear)
    monkeypatch.setattr(hidden, "gaze", lambda square, points: np.full((2, 2), points.max()))
    known, looks = seen_face(ThreeFrames())
    assert known.shape == (3, NUM_FEATURES)
    assert (looks[[0, 2]] > 1).all()  # landmarks are pixels here
    assert np.isnan(looks[1]).all() == hidden_eyes


def test_gaze_counts_from_where_the_driver_looks_most():
    looks = np.array([[1.5], [1.5], [1.5], [4.0], [0.0]], np.float32)
    moved = _gaze(looks)[:, 0]
    assert not moved[:3].any()
    assert 2 < moved[3] < 2.5 and -1.5 < moved[4] < -1.4
    assert np.abs(_gaze(100 * looks)).max() <= OFFSET_LIMIT
