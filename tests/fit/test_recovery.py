"""Recovery: a frame whose face does not do what its landmarks do is restarted; others stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.face.signals import NUM_POSE
from facecodec.fit import recovery
from facecodec.fit.objective import Target
from facecodec.fit.recovery import feature_error, recovered
from facecodec.fit.retargeting import Retargeter
from facecodec.fit.tracking import Tracked

CONTROLS, FEATURES = 35, 50
ANSWERS = np.random.default_rng(0).standard_normal((FEATURES, CONTROLS)) * 6


def see(controls):
    return controls @ ANSWERS.T


class Tracker:
    """A tracker content with where it begins, or that goes back to rest."""

    def __init__(self, goes_back: bool = False) -> None:
        self.goes_back = goes_back

    def track(self, target, starts, previous):
        controls = starts[0].numpy() * (0 if self.goes_back else 1)
        return Tracked(controls, np.eye(CONTROLS), 0.0)


@pytest.fixture
def frames():
    """Controls [6, 35] and the features of their frames; of frame 4 the controls are wrong."""
    rng = np.random.default_rng(1)
    controls = torch.from_numpy(rng.standard_normal((6, CONTROLS))).float()
    truth = controls.double().numpy().copy()
    truth[4, 5] += 8
    wanted = see(truth) + rng.standard_normal((6, FEATURES))
    return [Target(torch.zeros(3, 8, 8), torch.ones(1, 8, 8), None)] * 6, controls, wanted


def test_a_lost_frame_is_found_and_others_stay(frames):
    targets, controls, wanted = frames
    result = recovered(Tracker(), see, targets, wanted, controls)
    assert torch.equal(result[[0, 1, 2, 3, 5]], controls[[0, 1, 2, 3, 5]])
    before = feature_error(see, controls[4].double().numpy(), wanted[4])
    assert feature_error(see, result[4].double().numpy(), wanted[4]) < 0.3 * before


def test_a_frame_stays_where_landmarks_led_it_if_tracking_goes_back(frames):
    targets, controls, wanted = frames
    result = recovered(Tracker(goes_back=True), see, targets, wanted, controls)
    assert torch.equal(result[[0, 1, 2, 3, 5]], controls[[0, 1, 2, 3, 5]])
    before = feature_error(see, controls[4].double().numpy(), wanted[4])
    assert feature_error(see, result[4].double().numpy(), wanted[4]) < 0.3 * before


def test_a_later_frame_begins_where_one_like_it_was_found(frames):
    targets, controls, wanted = frames
    wanted[5] = wanted[4]
    starts = []

    class Listening(Tracker):
        def track(self, target, begin, previous):
            starts.append(begin[0].numpy())
            return super().track(target, begin, previous)

    recovered(Listening(), see, targets, wanted, controls)
    assert len(starts) == 2
    assert feature_error(see, starts[1], wanted[5]) <= feature_error(see, starts[0], wanted[4]) + 1


def test_a_frame_is_led_from_rest_too_where_that_ends_nearer(frames, monkeypatch):
    targets, controls, wanted = frames
    wanted[5] = wanted[4] + see(3.0 * np.eye(CONTROLS)[6])

    class Stuck(Retargeter):
        """Finds what is wanted from rest, and stays where it is from anywhere else."""

        def follow(self, usual, wanted):
            solution = np.linalg.lstsq(ANSWERS, wanted, rcond=None)[0]
            return (usual if usual[NUM_POSE:].any() else solution), np.eye(CONTROLS)

    monkeypatch.setattr(recovery, "Retargeter", Stuck)
    result = recovered(Tracker(), see, targets, wanted, controls).double().numpy()
    assert feature_error(see, result[5], wanted[5]) < 1.5


def test_what_is_no_better_is_not_taken(frames):
    targets, controls, wanted = frames
    wanted[:], wanted[4] = 0.0, 20.0
    result = recovered(Tracker(), lambda c: np.zeros((len(c), FEATURES)), targets, wanted, controls)
    assert torch.equal(result, controls)


def test_frames_without_landmarks_want_nothing(frames):
    targets, controls, wanted = frames
    wanted[4] = np.nan
    assert torch.equal(recovered(Tracker(), see, targets, wanted, controls), controls)
    wanted[:] = np.nan
    assert torch.equal(recovered(Tracker(), see, targets, wanted, controls), controls)
