"""Correction: motion that landmarks see and pictures hardly do is put back; the rest stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecodec.fit.correction import (
    CorrectionPlan,
    corrected,
    landmark_derivative,
    openings,
    two_level_design,
    without_placement,
)

FRAMES, CONTROLS, POINTS = 40, 35, 68
PLAN = CorrectionPlan()
GUIDED = 3
ANSWERS = np.random.default_rng(0).standard_normal((2 * POINTS, CONTROLS)) / 256
REST = np.random.default_rng(1).uniform(0.2, 0.8, (POINTS, 2))


def read(controls):
    return REST + (controls @ ANSWERS.T).reshape(-1, POINTS, 2)


@pytest.fixture
def clip():
    """True controls [T, 35], the tracked ones, their information, and the clip's landmarks.

    Control 0 was not seen by the tracker at all; the person's face differs from the clip's.
    """
    rng = np.random.default_rng(2)
    truth = rng.standard_normal((FRAMES, CONTROLS))
    tracked = truth.copy()
    tracked[:, 0] = 0
    information = np.full(CONTROLS, 1e4)
    information[0] = 1e-2
    person = 0.01 * rng.standard_normal((POINTS, 2))
    return truth, tracked, np.tile(np.diag(information), (FRAMES, 1, 1)), read(truth) + person


def test_what_pictures_do_not_see_is_put_back(clip):
    truth, tracked, information, wanted = clip
    moved, known = corrected(read, tracked, information, wanted, PLAN)
    assert np.corrcoef(moved[:, 0], truth[:, 0])[0, 1] > 0.99
    assert np.abs(moved[:, 1:] - truth[:, 1:]).max() < 0.02
    assert (known[:, 0, 0] > 100 * information[:, 0, 0]).all()


def test_a_person_whose_face_is_another_stays(clip):
    truth, _, information, wanted = clip
    moved, _ = corrected(read, truth, information, wanted, PLAN)
    assert np.abs(moved - truth).max() < 1e-6


def test_a_square_that_lies_elsewhere_is_no_motion(clip):
    truth, _, information, wanted = clip
    rng = np.random.default_rng(3)
    information = information * 1e-6
    moved, _ = corrected(
        read, truth, information, wanted + 0.01 * rng.standard_normal((FRAMES, 1, 2)), PLAN
    )
    assert np.abs(moved - truth).max() < 0.05


def test_a_frame_without_landmarks_stays_and_has_no_say(clip):
    truth, tracked, information, wanted = clip
    wanted[7] = np.nan
    moved, known = corrected(read, tracked, information, wanted, PLAN)
    assert np.array_equal(moved[7], tracked[7]) and np.array_equal(known[7], information[7])
    assert abs(moved[8, 0] - truth[8, 0]) < 0.3


def test_a_misread_landmark_counts_little(clip):
    truth, tracked, information, wanted = clip
    wanted[7, 30] += 0.1
    moved, _ = corrected(read, tracked, information, wanted, PLAN)
    assert np.abs(moved[7] - truth[7]).max() < 0.5


def test_nothing_is_moved_far(clip):
    _, tracked, information, wanted = clip
    wanted[7] += 30 * ANSWERS[:, 0].reshape(POINTS, 2)
    moved, _ = corrected(read, tracked, information, wanted, PLAN)
    assert np.abs(moved - tracked).max() <= PLAN.largest_move + 1e-9


@pytest.mark.parametrize("readable", [0, 0.3])
def test_a_face_that_cannot_be_read_is_left_alone(clip, readable):
    _, tracked, information, wanted = clip
    rng = np.random.default_rng(4)

    def blind(controls):
        points = read(controls)
        points[rng.random(len(points)) >= readable] = np.nan
        return points

    moved, known = corrected(blind, tracked, information, wanted, PLAN)
    assert moved is tracked and known is information


def test_a_clip_without_landmarks_is_left_alone(clip):
    _, tracked, information, wanted = clip
    moved, _ = corrected(read, tracked, information, np.full_like(wanted, np.nan), PLAN)
    assert moved is tracked


def test_the_design_moves_all_controls_and_tells_them_apart():
    rows = two_level_design(CONTROLS)
    assert rows.shape == (64, CONTROLS) and np.array_equal(np.abs(rows), np.ones_like(rows))
    assert np.array_equal(rows.T @ rows, 64 * np.eye(CONTROLS)) and not rows.sum(0).any()


def test_answers_survive_some_failed_readings():
    def sometimes(controls):
        points = read(controls)
        points[::5] = np.nan
        return points

    derivative = landmark_derivative(
        sometimes, np.ones(CONTROLS), np.full(CONTROLS, 0.5), np.eye(CONTROLS)
    )
    assert np.allclose(derivative, ANSWERS, atol=1e-9)


def test_answers_along_a_few_directions_take_eight_readings():
    asked = []

    def watched(controls):
        asked.append(controls)
        return read(controls)

    along = np.random.default_rng(6).standard_normal((GUIDED, CONTROLS))
    derivative = landmark_derivative(watched, np.ones(CONTROLS), np.full(GUIDED, 0.5), along)
    assert np.allclose(derivative, ANSWERS @ along.T, atol=1e-9)
    assert [len(controls) for controls in asked] == [8]


def test_pose_is_led_and_offsets_follow_the_pictures(clip):
    """Pictures know one control of pose only together with an offset."""
    truth, _, _, wanted = clip
    tracked = truth.copy()
    tracked[:, 0] = 0
    offset = CONTROLS - 1
    tracked[:, offset] += truth[:, 0]  # what pictures are content with
    seen = np.zeros(CONTROLS)
    seen[[0, offset]] = 1
    information = 1e4 * (np.diag(np.ones(CONTROLS) - seen) + np.outer(seen, seen))
    information = np.tile(information + 1e-2 * np.eye(CONTROLS), (FRAMES, 1, 1))
    # what lies beyond the pose is off, and landmarks would have it moved
    off = 0.05 * np.random.default_rng(5).standard_normal((FRAMES, 1))
    tracked[:, GUIDED + 1] += off[:, 0]
    moved, known = corrected(read, tracked, information, wanted, CorrectionPlan(guided=GUIDED))
    assert np.corrcoef(moved[:, 0], truth[:, 0])[0, 1] > 0.99
    sum_before = tracked[:, 0] + tracked[:, offset]
    assert np.abs(moved[:, 0] + moved[:, offset] - sum_before).max() < 0.02
    assert np.abs(moved[:, GUIDED + 1] - tracked[:, GUIDED + 1]).max() < 1e-6
    assert np.array_equal(known[:, GUIDED:, GUIDED:], information[:, GUIDED:, GUIDED:])


def test_shapes_forget_shift_size_and_angle():
    forget = without_placement(REST)
    turned = 1.01 * (REST - REST.mean(0)) @ np.array([[1, 0.02], [-0.02, 1]]) + 0.3
    assert np.abs(forget @ (turned - REST).ravel()).max() < 1e-9
    assert np.allclose(forget @ forget, forget)


def test_openings_are_how_far_lids_and_lips_are_apart():
    points = np.zeros((POINTS, 2))
    points[[41, 40], 1] = 0.02  # the left eye's lower lid, as seen
    points[[61, 62, 63], 1] = -0.01  # the upper lip
    assert np.allclose(openings() @ points.ravel(), [0.02, 0, 0.01])


def test_an_opening_counts_beyond_its_landmarks(clip):
    """Lids are a twentieth of the landmarks, and hardly a picture."""
    truth, tracked, information, wanted = clip
    information = information * 0 + 10 * np.eye(CONTROLS)
    at = {noise: replace(PLAN, opening_noise=noise) for noise in (0, PLAN.opening_noise)}
    left = {}
    for noise, plan in at.items():
        moved, _ = corrected(read, tracked * 0, information, wanted, plan)
        error = (wanted - read(moved)).reshape(FRAMES, -1)
        left[noise] = np.abs((error - error.mean(0)) @ openings().T).mean()
    assert left[PLAN.opening_noise] < 0.7 * left[0]
