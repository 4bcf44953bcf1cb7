"""What is seen in a frame, at any size at which it is tracked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from facecodec.encoding import frame_tracker as module
from facecodec.encoding.frame_tracker import CALM_INTERVAL, FrameTracker
from facecodec.video.reader import VideoReader

CONTROLS = 35


@pytest.fixture(scope="module")
def frames(sample):
    with VideoReader(sample) as reader:
        return [frame.image for frame in reader.frames(None, None, 8)]


def tracker(size: int, finder) -> FrameTracker:
    finder.reset()
    avatar = SimpleNamespace(
        num_controls=CONTROLS, model=SimpleNamespace(device=torch.device("cpu"))
    )
    drawn = SimpleNamespace(plan=SimpleNamespace(size=size), motion=torch.ones(CONTROLS))
    return FrameTracker(avatar, None, drawn, finder)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_a_frame_is_seen_at_the_size_of_any_plan(size, frames, finder):
    seen = tracker(size, finder).see(frames[0], 0.0)
    assert seen.target is not None and not seen.occluded
    side = seen.target.picture.shape[-1]
    assert side >= size and side % size == 0  # it is shrunk to that
    assert seen.target.weights.shape == (1, side, side)


def test_it_is_looked_for_a_hand_in_every_second_calm_frame(frames, finder, monkeypatch):
    shares = [0.0, 0.05, 0.0, 0.2]  # calm, doubtful, calm, hidden
    shares += [0.0] * 9
    looked: list[float] = []

    def share(*_: object) -> float:
        looked.append(shares[len(looked)])
        return looked[-1]

    monkeypatch.setattr(module, "occluded_share", share)
    watching = tracker(64, finder)
    told, looks = [], []
    for i in range(10):
        told.append(watching.see(frames[0], i / 25).occluded)
        looks.append(len(looked))
    # calm, passed over, doubtful, calm, passed over, hidden and two frames more, calm, passed over
    assert looks == [1, 1, 2, 3, 3, 4, 5, 6, 6, 7]
    assert told == [False] * 5 + [True] * 3 + [False] * 2
    assert CALM_INTERVAL == 2
