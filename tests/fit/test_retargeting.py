"""Retargeting: a face whose answers to the controls are not the driver's does what is wanted."""

from __future__ import annotations

import numpy as np

from facecodec.face.expression import LID_FEATURES, LIP_FEATURES, NUM_FEATURES, expression
from facecodec.face.signals import NUM_POSE
from facecodec.fit.retargeting import Retargeter
from facecodec.puppetry.retarget import at_rest


def face() -> np.ndarray:
    """Return 68 landmarks [68, 2] of a face that looks ahead, lips and lids apart."""
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (68, 2))
    points[0:17] = np.stack([np.linspace(-4, 4, 17), 2 - np.linspace(-1, 1, 17) ** 2], 1)
    for eye, x in ((range(36, 42), -1.0), (range(42, 48), 1.0)):
        shape = [(-0.3, 0), (-0.1, -0.1), (0.1, -0.1), (0.3, 0), (0.1, 0.1), (-0.1, 0.1)]
        points[list(eye)] = np.array(shape) + (x, 0)
    points[17:27, 1] = -0.6
    points[30] = 0, 1
    angles = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    points[48:60] = np.stack([0.8 * np.cos(angles), 2 - 0.4 * np.sin(angles)], 1)
    points[60:68] = [(-0.6, 2), (-0.3, 1.9), (0, 1.9), (0.3, 1.9), (0.6, 2), (0.3, 2.1), (0, 2.1),
                     (-0.3, 2.1)]  # fmt: skip
    return points


def test_what_a_face_does_is_not_where_it_is():
    """Only roll tells a turned, moved and larger picture from the same face; lips tell of lips."""
    points = face()
    plain = expression(points)
    assert plain.shape == (NUM_FEATURES,)
    turn = 0.3
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    change = expression(3 * points @ matrix + 50) - plain
    assert change[NUM_POSE - 1] > 50
    np.testing.assert_allclose(np.delete(change, NUM_POSE - 1), 0, atol=1e-6)
    opened = points.copy()
    opened[65:68, 1] += 0.3
    apart = expression(opened) - plain
    assert (apart[-5:-2] > 0.1 * 400 / 2).all() and np.abs(apart[:NUM_POSE]).max() == 0


def test_a_face_that_answers_the_other_way_still_follows():
    """The driver's control closes this mouth and bends as it goes; copied, it would do that."""
    rng = np.random.default_rng(1)
    answers = rng.standard_normal((NUM_FEATURES, 35)) * 6
    answers[:, 7] *= -1

    def see(controls):
        return (3 * np.tanh(controls / 3)) @ answers.T

    driver = answers.copy()
    driver[:, 7] *= -1
    retargeter = Retargeter(see, np.full(35, 5.0))
    copied, followed = [], []
    for t in range(20):
        controls = np.zeros(35)
        controls[7], controls[3] = 2 * np.sin(t / 5), np.cos(t / 7)
        wanted = driver @ controls
        result, information = retargeter.follow(0.25 * controls, wanted)
        copied.append(np.linalg.norm(see(controls[None])[0] - wanted))
        followed.append(np.linalg.norm(see(result[None])[0] - wanted))
        assert information.shape == (35, 35) and np.linalg.eigvalsh(information).min() > 0
    assert np.mean(followed[3:]) < 0.35 * np.mean(copied[3:])


def test_a_face_that_cannot_be_read_keeps_its_controls():
    """No landmarks, no steps: what the driver does is all there is."""
    blind = Retargeter(lambda c: np.full((len(c), NUM_FEATURES), np.nan), np.full(35, 5.0))
    usual = np.linspace(-1, 1, 35)
    result, _ = blind.follow(usual, np.zeros(NUM_FEATURES))
    np.testing.assert_array_equal(result, usual)


def test_a_face_that_is_lost_is_found_again():
    """Beyond 3 standard deviations this face is torn and cannot be read: controls come back."""

    def see(controls):
        features = np.tile(40 * controls[:, :1], (1, NUM_FEATURES))
        features[np.abs(controls[:, 0]) > 3] = np.nan
        return features

    retargeter = Retargeter(see, np.full(35, 5.0))
    for wanted in (100.0, 400.0, 400.0, 400.0, 20.0, 20.0):
        result, _ = retargeter.follow(np.zeros(35), np.full(NUM_FEATURES, wanted))
        assert np.isfinite(see(result[None])).all() and np.abs(result).max() <= 5
    assert abs(see(result[None])[0, 0] - 20) < 10


def test_a_face_rests_with_its_mouth_shut():
    """Frame 0 speaks; frame 2 blinks; frame 3 is turned away; frame 4 shows no face."""
    controls = np.zeros((6, 35), np.float32)
    controls[:, 10] = np.arange(6)
    done = np.zeros((6, NUM_FEATURES))
    done[:, LID_FEATURES] = 90
    done[0, LIP_FEATURES] = 60
    done[2, LID_FEATURES] = 20
    done[3, 0] = 100
    done[4] = np.nan
    done[5, LIP_FEATURES] = 60
    rest = at_rest(controls, done)
    assert rest.frame == 1 and rest.controls[10] == 1
    np.testing.assert_array_equal(rest.features, done[1])
    assert at_rest(controls, np.full_like(done, np.nan)) is None


def test_a_head_is_ahead_at_rest_where_lips_meet_in_a_turned_one_alone():
    """Turns from a turned head would add up to more than another face can do.

    Nor does it matter which of two such frames tracking held for the one nearer to ahead.
    """
    turns = np.array([-150.0, 0, -70, 20, 80, 10, 170, -10])
    done = np.zeros((8, NUM_FEATURES))
    done[:, 0] = turns
    done[:, LID_FEATURES], done[:, LIP_FEATURES] = 90, 60
    done[[2, 4], LIP_FEATURES] = 0
    rests = []
    for nudge in (-0.2, 0.2):
        controls = np.zeros((8, 35), np.float32)
        controls[:, 0] = turns / 85
        controls[2, 0] += nudge
        rests.append(at_rest(controls, done))
    assert rests[0].frame == rests[1].frame
    for rest in rests:
        assert np.abs(turns - rest.features[0]).max() < 180
        assert np.abs(controls[:, 0] - rest.controls[0]).max() < 180 / 85
        assert np.abs(rest.features[LIP_FEATURES]).max() == 0


def test_what_is_not_free_stays_and_what_weighs_more_is_followed_closer():
    rng = np.random.default_rng(4)
    answers = rng.standard_normal((NUM_FEATURES, 35)) * 6

    def see(controls):
        return controls @ answers.T

    free = np.arange(35) < 5
    usual, wanted = np.zeros(35), np.zeros(NUM_FEATURES)
    usual[20], wanted[7] = 1.5, 40
    plain = Retargeter(see, np.full(35, 5.0), free=free).follow(usual, wanted)[0]
    np.testing.assert_array_equal(plain[5:], usual[5:])
    assert plain[:5].any()
    weights = np.ones(NUM_FEATURES)
    weights[7] = 10
    close = Retargeter(see, np.full(35, 5.0), free=free, weights=weights).follow(usual, wanted)[0]
    missed = [abs(float((see(c[None])[0] - wanted)[7])) for c in (plain, close)]
    assert missed[1] < 0.5 * missed[0]
