"""The neutral face of a source: what it wears is taken off, pose and gaze stay, others say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import facecodec
from facecodec.errors import UsageError
from facecodec.face.expression import NUM_FEATURES
from facecodec.puppetry.neutral import LARGEST_CONTROL, MAP, Neutral
from facecodec.rig.choice import controls_of
from facecodec.rig.rig import shipped_rigs

RIG = next(shipped_rigs())
COUNT = len(RIG.names)
STILL = [*controls_of(RIG, "pose"), *controls_of(RIG, "gaze")]


def linear(scale: float = 1.0) -> tuple[Neutral, np.ndarray]:
    """Return a map, and the answers [50, K] of a face that it reads."""
    answers = np.random.default_rng(2).standard_normal((NUM_FEATURES, COUNT))
    reading = scale * np.linalg.pinv(answers)
    reading[STILL] = 0
    return Neutral(RIG.sha256, reading, np.full(NUM_FEATURES, 0.5)), answers


def test_what_is_worn_is_taken_off():
    known, answers = linear(0.7)  # a map that is shy, as ridge regression is
    worn = np.random.default_rng(3).uniform(-1, 1, COUNT)
    worn[STILL] = 0
    found = known.controls(lambda rows: known.features + (rows + worn) @ answers.T)
    assert np.abs(found + worn).max() < 0.1
    assert not found[STILL].any()


def test_no_control_goes_far_and_a_face_that_is_lost_is_left():
    known, answers = linear()
    far = known.controls(lambda rows: known.features + (rows + 50) @ answers.T)
    assert np.abs(far).max() == LARGEST_CONTROL
    blind = known.controls(lambda rows: np.full((len(rows), NUM_FEATURES), np.nan))
    assert not blind.any()


def test_the_map_that_ships_leaves_pose_and_gaze(tmp_path):
    known = Neutral.of_rig(RIG)
    assert known.reading.shape == (COUNT, NUM_FEATURES)
    assert not known.reading[STILL].any() and known.reading.any()
    known.save(tmp_path / "again.map")
    assert (tmp_path / "again.map").read_bytes() == MAP.read_bytes()
    with pytest.raises(UsageError, match="keep the source's rest"):
        Neutral.of_rig(replace(RIG, offsets=RIG.offsets[:-1]))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"source_rest": "calm"}, "no rest 'calm'"),
        ({"source_rest": "neutral", "keep_motion": True}, "keeps its rest"),
    ],
)
def test_rests_that_there_are_not(given, why, tmp_path):
    with pytest.raises(UsageError, match=why):
        facecodec.puppet("who.fcv", "driver.fcv", tmp_path / "out.fcv", **given)
