"""Puppets in part: a region does what it does in the whole puppet, and the others stay still."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.face.expression import (
    BROW_FEATURES,
    LID_FEATURES,
    LIP_FEATURES,
    NUM_FEATURES,
    OUTLINE_FEATURES,
)
from facecodec.face.signals import NUM_POSE
from facecodec.fit.retargeting import Retargeter
from facecodec.progress import silent
from facecodec.puppetry.in_part import Parts, Whole, in_part
from facecodec.puppetry.retarget import control_limits
from facecodec.puppetry.strength import Strengths
from facecodec.rig.choice import controls_of
from facecodec.rig.rig import shipped_rigs

RIG = next(shipped_rigs())
COUNT = len(RIG.names)
STEPS = np.full(COUNT, 1.0)
POSE, LIPS = slice(NUM_POSE), LIP_FEATURES
FRAMES = 12


class Face:
    """A face whose controls each move features of their region, and a little of all others."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.answers = rng.standard_normal((NUM_FEATURES, COUNT)) * 0.8
        for region, where in (
            ("pose", POSE), ("mouth", OUTLINE_FEATURES), ("mouth", LIP_FEATURES),
            ("jaw", OUTLINE_FEATURES), ("eyes", LID_FEATURES), ("brows", BROW_FEATURES),
        ):  # fmt: skip
            numbers = controls_of(RIG, region)
            shape = self.answers[where].shape[0], len(numbers)
            self.answers[where, numbers] = rng.standard_normal(shape) * 8

    def __call__(self, controls):
        return controls @ self.answers.T


def motion() -> np.ndarray:
    rng = np.random.default_rng(4)
    time = np.arange(FRAMES)[:, None]
    waves = np.sin(time * rng.uniform(0.1, 0.5, COUNT) + rng.uniform(0, 6, COUNT))
    return (rng.uniform(0.5, 1.5, COUNT) * waves).astype(np.float32)


def made(strengths: Strengths, own=None) -> np.ndarray:
    follower = Retargeter(Face(), control_limits(COUNT), steps=STEPS)
    whole = Whole(RIG, motion(), np.zeros(COUNT), follower)
    return in_part(whole, Parts.of(strengths, RIG), own, silent)


@pytest.mark.parametrize(
    ("region", "where"),
    [("pose", POSE), ("mouth", LIP_FEATURES), ("eyes", LID_FEATURES), ("brows", BROW_FEATURES)],
)
def test_a_region_alone_does_what_it_does_in_the_whole(region, where):
    face = Face()
    whole, part = face(motion()), face(made(Strengths.of([region])))
    follows = np.corrcoef(part[:, where].ravel(), whole[:, where].ravel())[0, 1]
    assert follows > 0.97
    for other in (POSE, LIP_FEATURES, LID_FEATURES, BROW_FEATURES):
        if other != where:
            assert part[:, other].std() < 0.15 * whole[:, other].std()


@pytest.mark.parametrize("strength", [0.5, 1.5])
def test_signals_are_scaled_by_the_strength(strength):
    face = Face()
    whole, part = face(motion()), face(made(Strengths.of(strength=strength)))
    for where in (POSE, LIP_FEATURES, LID_FEATURES, BROW_FEATURES):
        a, b = part[:, where].ravel(), whole[:, where].ravel()
        assert abs(a @ b / (b @ b) - strength) < 0.1


def test_a_source_that_goes_on_keeps_what_the_driver_does_not_move():
    face, own = Face(), np.roll(motion(), 5, axis=0) * 0.8
    whole, part = face(motion()), face(made(Strengths.of(["mouth", "jaw"]), own))
    kept = face(own)
    for where in (POSE, LID_FEATURES, BROW_FEATURES):
        assert np.corrcoef(part[:, where].ravel(), kept[:, where].ravel())[0, 1] > 0.98
    a, b = part[:, LIP_FEATURES].ravel(), whole[:, LIP_FEATURES].ravel()
    assert np.corrcoef(a, b)[0, 1] > 0.97


def test_gaze_is_scaled_as_controls_are():
    numbers = controls_of(RIG, "gaze")
    part = made(Strengths.of(["gaze"], 0.5))
    np.testing.assert_allclose(part[:, numbers], 0.5 * motion()[:, numbers], atol=1e-6)


def test_the_mouths_outline_moves_with_the_head_and_not_with_the_mouth():
    rng = np.random.default_rng(5)
    here, whole, turned = rng.standard_normal((3, NUM_FEATURES))
    still = Parts.of(Strengths.of(["mouth"]), RIG).goal(here, whole, turned, here)
    outline = OUTLINE_FEATURES
    np.testing.assert_allclose(still[outline], (here + whole - turned)[outline])
    np.testing.assert_allclose(still[LIP_FEATURES], whole[LIP_FEATURES])
    np.testing.assert_allclose(still[POSE], here[POSE])
    turning = Parts.of(Strengths.of(["pose"]), RIG).goal(here, whole, turned, here)
    np.testing.assert_allclose(turning[outline], turned[outline])
    np.testing.assert_allclose(turning[LIP_FEATURES], here[LIP_FEATURES])
    both = Parts.of(Strengths.of(), RIG).goal(here, whole, turned, here)
    np.testing.assert_allclose(both, whole)
