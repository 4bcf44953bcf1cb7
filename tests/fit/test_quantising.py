"""Quantising for a person: no more lost in the picture than by rounding, in fewer bytes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from facecodec.bitstream.coding.range_coder import RangeEncoder
from facecodec.bitstream.coding.segment import CONTROLS, INITIAL
from facecodec.bitstream.coding.steps import control_steps, from_levels, to_levels
from facecodec.bitstream.coding.tracks import code_track
from facecodec.encoding.motion import Motion
from facecodec.encoding.stored import stored
from facecodec.errors import UsageError
from facecodec.fit.quantising import (
    STEP_RANGE,
    FrameQuantiser,
    Quantised,
    economical_levels,
    person_steps,
    picture_error,
    quantised,
)
from tests.helpers import toy_streams

COUNT, FRAMES = 12, 90
BASE = np.full(COUNT, 0.2)
# Steps are rounded to half octaves, of which one is 1.5 and one 4/3 times the step before.
HALF_OCTAVE, UNEVEN = 2**0.5, 1.5 / 2**0.5


@pytest.fixture
def information() -> np.ndarray:
    """Controls of very different effect, of which some act on the same pixels."""
    dice = np.random.default_rng(1)
    mixed = np.eye(COUNT) + 0.4 * dice.normal(size=(COUNT, COUNT))
    effect = np.diag(10.0 ** dice.uniform(-0.6, 0.6, COUNT))
    return effect @ mixed.T @ mixed @ effect


@pytest.fixture
def controls() -> np.ndarray:
    dice = np.random.default_rng(2)
    drift = np.cumsum(dice.normal(scale=0.1, size=(FRAMES, COUNT)), axis=0)
    return (drift + dice.normal(scale=0.15, size=(FRAMES, COUNT))).astype(np.float32)


def coded_bytes(controls: np.ndarray, steps: np.ndarray) -> int:
    """Return the bytes of the track of some controls."""
    coder = RangeEncoder(INITIAL)
    code_track(coder, CONTROLS, COUNT, len(controls), to_levels(controls, steps))
    return len(coder.finish())


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_no_more_is_lost_in_fewer_bytes(controls, information, quality):
    plain = control_steps(BASE, quality)
    rounded = from_levels(to_levels(controls, plain), plain)
    made = quantised(controls, BASE, information, quality)
    assert made.plain_error == picture_error(rounded - controls.astype(float), information)
    assert made.error <= made.plain_error
    assert made.error == picture_error(made.controls - controls.astype(float), information)
    assert coded_bytes(made.controls, made.steps) < 0.85 * coded_bytes(rounded, plain)


def test_what_is_stored_comes_back_to_the_bit(controls, information):
    made = quantised(controls, BASE, information, 60)
    again = from_levels(to_levels(made.controls, made.steps), made.steps)
    assert made.controls.dtype == np.float32 and again.tobytes() == made.controls.tobytes()


def test_every_control_leaves_about_the_same_in_the_picture(information):
    steps = person_steps(BASE, information, 60)
    effect = np.diag(information) * steps.astype(float) ** 2
    inside = (steps > 1.3 * STEP_RANGE[0] * BASE) & (steps < STEP_RANGE[1] * BASE / 1.3)
    assert inside.sum() > COUNT / 2
    assert effect[inside].max() / effect[inside].min() <= HALF_OCTAVE**2 * UNEVEN**4
    low, high = STEP_RANGE
    assert np.all(steps >= low * BASE / 1.3) and np.all(steps <= high * BASE * 1.3)


@pytest.mark.parametrize("quality", [20, 60])
def test_steps_follow_the_quality(information, quality):
    fine, coarse = (person_steps(BASE, information, q) for q in (quality + 16, quality))
    assert np.array_equal(2 * fine, coarse)


def test_errors_that_cancel_are_used():
    information = np.array([[1.0, 0.95], [0.95, 1.0]])  # two controls that do nearly the same
    values = np.random.default_rng(3).uniform(-4, 4, (200, 2))
    levels = economical_levels(values, information, np.ones(2, np.float32))
    rounded = picture_error(np.rint(values) - values, information)
    assert picture_error(levels - values, information) < 0.7 * rounded


def test_without_information_the_rigs_steps_and_plain_rounding(controls):
    plain = control_steps(BASE, 60)
    nothing = np.zeros((COUNT, COUNT))
    assert np.array_equal(person_steps(BASE, nothing, 60), plain)
    made = quantised(controls, BASE, nothing, 60)
    assert np.array_equal(made.steps, plain)
    assert np.array_equal(made.controls, from_levels(to_levels(controls, plain), plain))


def test_a_control_that_is_never_seen_is_kept_coarsely(controls, information):
    information[3] = information[:, 3] = 0
    made = quantised(controls, BASE, information, 60)
    assert np.abs(made.controls[:, 3] - controls[:, 3]).max() <= 3 * made.steps[3]


def test_frames_one_after_the_other(controls, information):
    quantiser = FrameQuantiser(BASE, information, 60)
    steps = quantiser.steps
    made = np.stack([quantiser(row) for row in controls])
    again = from_levels(to_levels(made, steps), steps)
    assert made.dtype == np.float32 and again.tobytes() == made.tobytes()
    rounded = from_levels(to_levels(controls, steps), steps)
    exact = controls.astype(float)
    assert picture_error(made - exact, information) < picture_error(rounded - exact, information)
    assert coded_bytes(made, steps) < 0.97 * coded_bytes(rounded, steps)


def test_frames_of_nobody_known_are_rounded(controls):
    quantiser = FrameQuantiser(BASE, np.zeros((COUNT, COUNT)), 60)
    plain = control_steps(BASE, 60)
    assert np.array_equal(quantiser.steps, plain)
    quantiser(controls[0])
    second = quantiser(controls[1])
    assert np.array_equal(second, from_levels(to_levels(controls[1], plain), plain))


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames(controls, information, frames):
    made = quantised(controls[:frames], BASE, information, 60)
    assert made.controls.shape == (frames, COUNT) and made.error <= made.plain_error


def test_what_no_stream_carries_is_refused(controls, information):
    controls[5, 2] = np.nan
    with pytest.raises(UsageError):
        quantised(controls, BASE, information, 60)


def test_exact_streams_stay_exact(controls, information):
    rig = type("Toy", (), {"steps": BASE})
    motion = Motion(controls, np.zeros(FRAMES, np.uint8), np.zeros(FRAMES), None, information)
    header = toy_streams.header(control_steps=control_steps(BASE, 60))
    assert stored(replace(header, precision="f32"), rig, motion)[1] is motion
    blind = replace(motion, information=None)
    assert stored(header, rig, blind) == (header, blind)
    changed, written = stored(header, rig, motion)
    expected: Quantised = quantised(controls, BASE, information, header.quality)
    assert np.array_equal(changed.control_steps, expected.steps)
    assert np.array_equal(written.controls, expected.controls)
    assert Fraction(changed.time_base) == header.time_base
