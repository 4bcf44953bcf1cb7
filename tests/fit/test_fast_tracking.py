"""Fast tracking: guesses are kept where they help, and frames they miss are tracked as ever."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.fit.fast_tracking import FastTracker
from facecodec.fit.objective import Target, weight_map
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.tracking import Tracker
from facecodec.generator.sampling import draw_latents
from tests.helpers.faces import face

NUM_CONTROLS = 35  # of the shipped rig
PLAN = TrackingPlan(
    iterations=2, full_iterations=0, preview_renders=2, guided_steps=1, prepared_turn=1.3
)


class Told:
    """A guide that answers what it is told."""

    def __init__(self) -> None:
        self.change = torch.zeros(NUM_CONTROLS, dtype=torch.float64)

    def __call__(self, change: np.ndarray) -> torch.Tensor:
        assert change.shape == (68, 2)
        return self.change


@pytest.fixture(scope="module")
def tracker(generator, rig) -> Tracker:
    w = generator.broadcast(draw_latents(generator, 15, seed=0, truncation=0.7)[14:15])
    with torch.no_grad():
        return Tracker(generator, rig.basis(generator), generator.styles(w)[0], PLAN)


def frame(tracker: Tracker, controls: torch.Tensor) -> Target:
    return Target(tracker.render(controls[None])[0], weight_map(None, 128), face() / 600)


def test_a_right_answer_takes_three_renders(tracker):
    told, rest = Told(), torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    fast = FastTracker(tracker, told)
    first = fast.track(frame(tracker, rest), [rest], None)
    told.change[0], told.change[3] = 1.0, 2.0
    target, before = frame(tracker, rest + told.change), tracker.renders
    track = fast.track(target, [rest], torch.from_numpy(first.controls))
    assert track.controls[0] == pytest.approx(1.0, abs=0.1)
    assert track.residual < 0.01
    assert tracker.renders - before <= 3
    assert fast.failures == 0


def test_a_wrong_answer_is_not_kept(tracker):
    told, rest = Told(), torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    fast = FastTracker(tracker, told)
    still = frame(tracker, rest)
    first = fast.track(still, [rest], None)
    told.change[:3] = 2.0
    track = fast.track(still, [rest], torch.from_numpy(first.controls))
    assert abs(track.controls[:3]).max() < 0.2


def test_a_frame_that_it_misses_is_tracked_by_gauss_newton_and_counted(tracker):
    told, rest = Told(), torch.zeros(NUM_CONTROLS, dtype=torch.float64)
    fast = FastTracker(tracker, told)
    first = fast.track(frame(tracker, rest), [rest], None)
    far = rest.clone()
    far[0], far[1] = 2.5, -1.0
    track = fast.track(frame(tracker, far), [far], torch.from_numpy(first.controls))
    assert fast.failures == 1
    assert track.controls[0] == pytest.approx(2.5, abs=0.3)
