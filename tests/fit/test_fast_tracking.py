"""Fast tracking: landmarks and picture are heeded at once, and frames it misses are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facecodec.fit import fast_tracking
from facecodec.fit.fast_tracking import FastTracker
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.objective import Target, weight_map
from facecodec.fit.photometric import Linearisation, TrackingPlan, pyramid
from facecodec.fit.tracking import Tracker
from facecodec.generator.sampling import draw_latents
from tests.helpers.faces import face

NUM_CONTROLS = 35  # of the shipped rig
PLAN = TrackingPlan(
    iterations=2, full_iterations=0, preview_renders=2, guided_steps=2, prepared_renders=80
)
REST = torch.zeros(NUM_CONTROLS, dtype=torch.float64)
SLOPES = np.random.default_rng(0).normal(0, 0.01, (136, NUM_CONTROLS))  # made up: of landmarks


@pytest.fixture(scope="module")
def tracker(generator, rig) -> Tracker:
    w = generator.broadcast(draw_latents(generator, 15, seed=0, truncation=0.7)[14:15])
    with torch.no_grad():
        return Tracker(generator, rig.basis(generator), generator.styles(w)[0], PLAN)


def frame(tracker: Tracker, controls: torch.Tensor, landmarks_of: torch.Tensor) -> Target:
    """The person at some controls, with landmarks as the made-up slopes say of others."""
    points = face() / 600 + (SLOPES @ landmarks_of.numpy()).reshape(68, 2)
    return Target(tracker.render(controls[None])[0], weight_map(None, 128), points)


def unlike(target: Target) -> Target:
    """A frame that the person cannot be drawn like: as real ones are."""
    noise = torch.rand(target.picture.shape, generator=torch.Generator().manual_seed(0))
    return Target(target.picture + 0.4 * (noise - 0.5), target.weights, target.landmarks)


def moved(**values: float) -> torch.Tensor:
    controls = REST.clone()
    for name, value in values.items():
        controls[int(name[1:])] = value
    return controls


@pytest.fixture(autouse=True)
def as_prepared(tracker):
    """Take back what a test corrects in the derivative, which all share."""
    entry = tracker.derivatives.nearest(REST)
    prepared = entry.jacobian.clone()
    yield
    entry.jacobian.copy_(prepared)


def begun(tracker: Tracker, guide: LandmarkGuide | None) -> tuple[FastTracker, torch.Tensor]:
    fast = FastTracker(tracker, guide)
    first = fast.track(unlike(frame(tracker, REST, REST)), [REST], None)
    return fast, torch.from_numpy(first.controls)


@pytest.fixture
def guide() -> LandmarkGuide:
    return LandmarkGuide(SLOPES, face() / 600)


def test_a_move_takes_two_renders(tracker, guide):
    fast, first = begun(tracker, guide)
    there = moved(c0=1.0, c3=2.0)
    target = frame(tracker, there, there)
    before = tracker.renders
    track = fast.track(target, [REST], first)
    assert tracker.renders - before <= 2
    assert track.controls[0] == pytest.approx(1.0, abs=0.15)
    assert track.residual < 0.02
    assert fast.failures == 0


def test_landmarks_help(tracker, guide):
    there, away = moved(c0=1.3, c1=-1.0), []
    for which in (None, guide):
        fast, first = begun(tracker, which)
        fast.steps = 1
        track = fast.track(unlike(frame(tracker, there, there)), [REST], first)
        away.append(np.abs(track.controls - there.numpy())[:3].max())
    assert away[1] < 0.7 * away[0]


def test_no_further_step_where_little_is_to_gain(tracker, guide, monkeypatch):
    monkeypatch.setattr(fast_tracking, "LEAST_GAIN", 1e9)
    fast, first = begun(tracker, guide)
    still = unlike(frame(tracker, REST, REST))
    before = tracker.renders
    fast.track(still, [REST], first)
    assert tracker.renders - before == 1


def test_the_derivative_is_corrected_by_what_is_left_but_not_by_motion(tracker, guide, monkeypatch):
    asked: list[torch.Tensor] = []
    monkeypatch.setattr(Linearisation, "correct_slope", lambda *given: asked.append(given[2]))
    fast, first = begun(tracker, guide)
    there = moved(c0=1.0, c3=2.0)
    fast.track(frame(tracker, there, there), [REST], first)
    assert not asked
    fast, first = begun(tracker, guide)
    for _ in range(fast_tracking.EXACT_INTERVAL):
        fast.track(unlike(frame(tracker, REST, REST)), [REST], first)
    assert len(asked) == 1
    fast.track(unlike(frame(tracker, REST, REST)), [REST], first)
    assert len(asked) == 2


def test_wrong_landmarks_do_not_lead_away(tracker, guide):
    fast, first = begun(tracker, guide)
    track = fast.track(frame(tracker, REST, moved(c0=2.0, c1=2.0)), [REST], first)
    assert abs(track.controls[:3]).max() < 0.3


def test_the_exact_slope_is_what_renders_say(tracker):
    at, along = moved(c0=0.5, c3=0.5), moved(c0=0.1, c3=0.2, c5=-0.2)
    traced = tracker.traced(at)
    weighted = traced.picture - pyramid(tracker.render(REST[None]))[0]  # of one sign: no rounding
    ahead, behind = pyramid(tracker.render(torch.stack([at + along, at - along])))
    told = float((ahead - behind) @ weighted) / 2
    assert float(traced.slope(weighted).double() @ along) == pytest.approx(told, rel=0.05)


def test_a_derivative_is_put_right_where_the_picture_says_it_is_wrong(tracker):
    known = tracker.derivatives.nearest(REST)
    entry = replace(known, jacobian=0.5 * known.jacobian)
    target = unlike(frame(tracker, moved(c0=0.5), REST))
    problem = tracker.problem(target, pyramid(target.picture[None])[0], None, False)
    traced = tracker.traced(moved(c0=0.5))
    weighted = problem.weighted(traced.picture)
    exact = traced.slope(weighted)
    entry.correct_slope(weighted, exact)
    assert torch.allclose(problem.slope(entry, traced.picture).float(), exact, rtol=1e-3, atol=0.1)


def test_fewer_steps_are_fewer_renders(tracker, guide):
    fast, first = begun(tracker, guide)
    target = unlike(frame(tracker, moved(c0=1.0), moved(c0=1.0)))
    fast.steps, before = 1, tracker.renders
    fast.track(target, [REST], first)
    assert tracker.renders - before == 1


def test_a_frame_that_it_misses_is_tracked_by_gauss_newton_and_counted(tracker):
    fast, first = begun(tracker, None)
    fast._residuals.extend([0.01] * 60)  # frames before were explained
    far = moved(c0=2.5, c1=-1.5, c8=3.0)
    track = fast.track(frame(tracker, far, far), [far], first)
    assert fast.failures == 1
    assert track.controls[0] == pytest.approx(2.5, abs=0.3)


def test_a_frame_is_predicted_without_a_render(tracker, guide):
    fast, first = begun(tracker, guide)
    controls, shares = first, (0.5, 1.0)
    turns = [moved(c0=share * 0.8, c3=share * 1.2) for share in shares]
    targets = [unlike(frame(tracker, there, there)) for there in turns]
    before = tracker.renders
    # errors do not add up: both are told from the frame rendered last
    for target, there, share in zip(targets, turns, shares, strict=True):
        told = fast.predicted(target, controls)
        assert told is not None
        controls = torch.from_numpy(told.controls)
        assert abs(told.controls[0] - float(there[0])) < 0.35 * share
    assert tracker.renders == before
    assert told.residual == fast._residuals[-1] and len(fast._residuals) == 1


def test_nothing_is_predicted_without_a_frame_before_or_of_a_hidden_face(tracker, guide):
    target = frame(tracker, REST, REST)
    assert FastTracker(tracker, guide).predicted(target, REST) is None
    fast, first = begun(tracker, guide)
    assert fast.predicted(target, None) is None
    assert fast.predicted(target, first, occluded=True) is None
