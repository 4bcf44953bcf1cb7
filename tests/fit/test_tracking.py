"""Fits on faces the generator rendered, so that the right answer is known."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from facecodec.face.mask import face_mask
from facecodec.fit.inversion import (
    IDENTITY_INTERVAL,
    InversionPlan,
    InversionStart,
    identity_and_others,
    invert,
)
from facecodec.fit.objective import Target, shrink, weight_map
from facecodec.fit.photometric import TrackingPlan, pyramid
from facecodec.fit.smoothing import smooth
from facecodec.fit.tracking import CONTROL_LIMIT, Tracker
from facecodec.generator.sampling import draw_latents
from facecodec.pixels import to_uint8
from facecodec.progress import silent
from tests.helpers.presets import TINY

NUM_CONTROLS = 35  # of the shipped rig


@pytest.fixture(scope="module")
def person(generator, rig):
    """W+ and styles of a person, and the rig's basis."""
    w = generator.broadcast(draw_latents(generator, 15, seed=0, truncation=0.7)[14:15])
    with torch.no_grad():
        return w, generator.styles(w)[0], rig.basis(generator)


def shown(generator, styles, size: int) -> Target:
    with torch.no_grad():
        picture = generator.shrunk(styles[None], size)[0].clamp(-1, 1)
    return Target(picture, weight_map(None, size), None)


def test_tracking_recovers_pose_and_picture(generator, person):
    _, styles, basis = person
    tracker = Tracker(generator, basis, styles, TrackingPlan(iterations=4, preview_renders=4))
    truth = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    truth[0], truth[1] = 0.5, -0.3
    truth[3], truth[5] = 1.5, -1.5
    target = Target(tracker.render(truth[None])[0], weight_map(None, 128), None)
    rest = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    track = tracker.track(target, [rest], None)
    assert track.controls[:2] == pytest.approx([0.5, -0.3], abs=0.1)
    # Offsets that look alike share what they explain: the picture is what must come back.
    at_rest = tracker.render(rest[None])[0]
    before = float((at_rest - shrink(target.picture[None], 128)[0]).abs().mean())
    assert track.residual < 0.5 * before
    assert tracker.renders < 200


def test_no_control_is_driven_out_of_reach(generator, person):
    _, styles, basis = person
    plan = TrackingPlan(iterations=4, preview_renders=2, cold_recomputations=0, prior=(1e3, 1e3))
    tracker = Tracker(generator, basis, styles, plan)
    near = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    near[3] = CONTROL_LIMIT - 0.5
    truth = near.clone()
    truth[3] = CONTROL_LIMIT + 6
    target = shown(generator, styles + truth.float() @ basis, 128)
    track = tracker.track(target, [near], None)
    assert CONTROL_LIMIT - 0.5 < track.controls[3] <= CONTROL_LIMIT
    assert np.abs(track.controls).max() <= CONTROL_LIMIT


def test_a_start_beyond_reach_does_not_hold_the_others(generator, person):
    _, styles, basis = person
    plan = TrackingPlan(iterations=6, preview_renders=2, cold_recomputations=0, prior=(1e3, 1e3))
    tracker = Tracker(generator, basis, styles, plan)
    led = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    led[3] = CONTROL_LIMIT + 8
    truth = led.clone()
    truth[0] = 0.8
    track = tracker.track(shown(generator, styles + truth.float() @ basis, 128), [led], None)
    assert track.controls[0] == pytest.approx(0.8, abs=0.3)
    assert CONTROL_LIMIT + 4 < track.controls[3] <= CONTROL_LIMIT + 8


def test_tracking_starts_at_the_best_of_its_starts(generator, person):
    _, styles, basis = person
    tracker = Tracker(
        generator,
        basis,
        styles,
        TrackingPlan(iterations=1, preview_renders=2, cold_recomputations=0),
    )
    truth = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    truth[0] = 2.0
    target = shown(generator, styles + truth.float() @ basis, 128)
    track = tracker.track(target, [torch.zeros_like(truth), truth], truth)
    assert track.controls[0] == pytest.approx(2.0, abs=0.2)


def test_inversion_comes_near_a_face(generator, person):
    _, styles, basis = person
    target = shown(generator, styles, 256)
    plan = InversionPlan(w_steps=25, gaze_steps=0, w_plus_steps=12, full_steps=0, coarse_size=128)
    start = torch.zeros(1, NUM_CONTROLS)
    result = invert(generator, basis, [target], InversionStart(start), plan, None, silent)

    def away(w_plus: torch.Tensor) -> float:
        with torch.no_grad():
            picture = generator.preview(generator.styles(w_plus[None]), 128)
        return float((picture - shrink(target.picture[None], 128)).abs().mean())

    mean = away(generator.broadcast(generator.w_mean.reshape(1, -1))[0])
    assert away(result.w_plus) < 0.6 * mean
    assert (result.controls == 0).all()  # the identity frame keeps its controls


def test_an_inversion_looks_at_all_frames_alike_and_a_little_more_at_the_first():
    steps = list(itertools.islice(identity_and_others(8), 7 * IDENTITY_INTERVAL * 4))
    counts = np.bincount(steps, minlength=8)
    assert steps[0] == 0
    assert counts[1:].max() - counts[1:].min() <= 1
    assert counts[0] == 28
    assert 1 < counts[0] / counts[1:].mean() < 3


def test_inversion_takes_recovered_controls_for_all_frames_but_the_first(generator, person):
    _, styles, basis = person
    target = shown(generator, styles, 256)
    asked = []

    def recover(tracker, now, controls):
        asked.append(controls.clone())
        return torch.full_like(controls, 3.0)

    plan = replace(TINY.inversion, full_steps=0, recovery=True)
    start = torch.zeros(2, NUM_CONTROLS)
    targets = [target, target]
    result = invert(
        generator, basis, targets, InversionStart(start, None, recover), plan, None, silent
    )
    assert [controls.shape for controls in asked] == [(2, NUM_CONTROLS)]
    assert (result.controls[0] == 0).all()
    assert result.controls[1].numpy() == pytest.approx(3.0, abs=0.1)


def test_smoothing_trusts_what_was_seen():
    random = np.random.default_rng(0)
    truth = np.sin(np.arange(80) / 10)[:, None] * [1.0, 2.0]
    noisy = truth + random.normal(0, 0.3, truth.shape)
    motion = np.array([0.1, 0.2])
    sure = np.tile(np.eye(2) * 1e6, (80, 1, 1))
    unsure = np.tile(np.eye(2) * 10, (80, 1, 1))
    assert smooth(noisy, sure, motion) == pytest.approx(noisy, abs=1e-3)
    calm = smooth(noisy, unsure, motion)
    assert np.abs(calm - truth).mean() < 0.5 * np.abs(noisy - truth).mean()
    lags = [np.abs(calm[5 + k : 75 + k] - truth[5:75]).mean() for k in (-2, 0, 2)]
    assert lags[1] == min(lags)  # two-sided: no lag


def test_smoothing_bridges_frames_without_a_face():
    track = np.arange(10.0)[:, None]
    information = np.tile(np.eye(1) * 1e4, (10, 1, 1))
    information[3:7] = 0
    track[3:7] = 99.0
    filled = smooth(track, information, np.ones(1))
    assert filled[:, 0] == pytest.approx(np.arange(10.0), abs=0.01)


def test_causal_smoothing_does_not_know_the_future():
    random = np.random.default_rng(1)
    truth = np.sin(np.arange(80) / 10)[:, None] * [1.0, 2.0]
    noisy = truth + random.normal(0, 0.3, truth.shape)
    information = np.tile(np.eye(2) * 10, (80, 1, 1))
    motion = np.array([0.1, 0.2])
    calm = smooth(noisy, information, motion, causal=True)
    assert np.abs(calm - truth).mean() < 0.9 * np.abs(noisy - truth).mean()
    assert calm[:50] == pytest.approx(smooth(noisy[:50], information[:50], motion, causal=True))
    both = smooth(noisy, information, motion)
    assert np.abs(both - truth).mean() < np.abs(calm - truth).mean()
    assert calm[-1] == pytest.approx(both[-1])


def test_weights_favour_eyes_and_mouth():
    points = np.full((68, 2), 0.5)
    points[36:42], points[42:48], points[48:] = (0.4, 0.45), (0.6, 0.45), (0.5, 0.65)
    weights = weight_map(points, 100)[0]
    assert weights[45, 40] > weights[65, 50] > weights[55, 50] > weights[2, 2]
    assert (weight_map(None, 16) == 1).all()


def test_the_derivative_by_pose_is_that_of_a_small_turn(generator, person):
    _, styles, basis = person
    tracker = Tracker(generator, basis, styles, TrackingPlan(preview_renders=2))
    rest = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    turned = torch.zeros(2, NUM_CONTROLS, dtype=torch.float64)
    turned[:, 0] = torch.tensor([0.1, -0.1])
    with torch.no_grad():
        left, right = pyramid(tracker.preview(styles + turned.float() @ basis))
    column = tracker.derivatives.linearise(rest).jacobian[:, 0]
    assert float(torch.cosine_similarity(column, left - right, dim=0)) > 0.85


def test_derivatives_by_pose_follow_a_turning_head(generator, person):
    _, styles, basis = person
    tracker = Tracker(generator, basis, styles, TrackingPlan(preview_renders=2))
    controls = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    first = tracker.derivatives.nearest(controls)
    before, renders = first.jacobian.clone(), tracker.renders
    controls[1] = 0.1
    assert tracker.derivatives.nearest(controls) is first
    assert tracker.renders == renders
    controls[0] = 0.6
    assert tracker.derivatives.nearest(controls) is first
    assert tracker.renders == renders + 6
    assert not torch.equal(first.jacobian[:, 0], before[:, 0])
    assert torch.equal(first.jacobian[:, 3:], before[:, 3:])
    controls[0] = 0.0  # a head that turns back finds what it had
    assert tracker.derivatives.nearest(controls) is first
    assert tracker.renders == renders + 6
    assert torch.equal(first.jacobian, before)


def test_a_head_that_hardly_turns_is_followed_by_one_that_looks_unlike_it(generator, person):
    w, styles, basis = person
    other = generator.broadcast(draw_latents(generator, 3, seed=7, truncation=0.7)[2:3])
    with torch.no_grad():
        unlike = generator.styles(w + 0.2 * (other - w))[0]
    tracker = Tracker(generator, basis, unlike, TrackingPlan(preview_renders=2))
    truth = 0.1 * np.sin(2 * np.pi * np.arange(8) / 8)
    start, previous, yaws = torch.zeros(NUM_CONTROLS, dtype=torch.float64), None, []
    for yaw in truth:
        target = shown(generator, styles + float(yaw) * basis[0], 128)
        start = previous = torch.from_numpy(tracker.track(target, [start], previous).controls)
        yaws.append(float(previous[0]))
    assert np.corrcoef(yaws, truth)[0, 1] > 0.95
    assert 0.5 < np.std(yaws) / np.std(truth) < 1.5


def test_what_moves_behind_a_face_is_no_turn(generator, person, finder):
    _, styles, basis = person
    still = shown(generator, styles, 256).picture
    turned = shown(generator, styles + 0.5 * basis[0], 256).picture
    finder.reset()
    points = finder(to_uint8(still[None])[0])
    inside = torch.from_numpy(face_mask(points, 256))
    picture = torch.where(inside, still, turned)
    points = points / 256
    tracker = Tracker(generator, basis, styles, TrackingPlan(iterations=4, preview_renders=2))
    rest = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    track = tracker.track(Target(picture, weight_map(points, 256), points), [rest], rest)
    assert abs(track.controls[0]) < 0.25  # 0.44 where all pixels count


def test_a_face_that_hardly_moves_is_not_rendered_in_full_again(generator, person, monkeypatch):
    _, styles, basis = person
    tracker = Tracker(
        generator, basis, styles, TrackingPlan(preview_renders=2, cold_recomputations=0)
    )
    in_full = []
    correct = tracker.preview.correct
    monkeypatch.setattr(
        tracker.preview, "correct", lambda *given: in_full.append(1) or correct(*given)
    )
    previous, rendered = None, []
    for yaw in (0.0, 0.1, 0.2, 1.0, 1.1):
        start = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
        start[0] = yaw
        target = shown(generator, styles + yaw * basis[0], 128)
        previous = torch.from_numpy(tracker.track(target, [start], previous).controls)
        rendered.append(len(in_full))
    assert rendered == [1, 1, 1, 2, 2]
    tracker.track(target, [previous], None)  # after a cut nothing is known
    assert len(in_full) == 3
