"""In step at the receiver: simulated links, and clocks that are not equally fast."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.live.playout import Playout

FPS, PACKETS = 25, 25  # frames and packets of sound a second
LIP_SYNC_SECONDS = 0.04


def call(seconds: float, *, drift: float = 0.0, jitter: float = 0.02, loss: float = 0.05,
         delay: float = 0.06, drawing: float = 0.03) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Play a call; return by how much pictures, and sound, are shown after their time, [N] each.

    drift: how much faster the sender's clock runs; times are of the receiver's, but for that of
    each frame, which the sender's clock says.
    """
    r = np.random.default_rng(5)
    playout = Playout(delay)
    events = [
        (float(at / (1 + drift) + 0.1 + r.uniform(0, jitter)), float(at), kind)
        for kind, rate in (("picture", FPS), ("sound", PACKETS))
        for at in np.arange(0, seconds, 1 / rate) + (0.013 if kind == "sound" else 0)
        if r.random() >= loss
    ]
    shown: dict[str, list[float]] = {"picture": [], "sound": []}
    for arrival, time, kind in sorted(events):
        playout.arrived(time, arrival)
        work = drawing if kind == "picture" else 0.0
        at = max(playout.due(time), arrival + work)
        shown[kind].append(at - time / (1 + drift))
    return np.array(shown["picture"]), np.array(shown["sound"])


@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.05])
def test_sound_and_pictures_are_in_step(jitter):
    pictures, sound = call(60, jitter=jitter)
    settled = slice(25, None)
    assert abs(np.median(pictures) - np.median(sound)) < LIP_SYNC_SECONDS / 4
    apart = np.abs(pictures[settled] - np.median(sound))
    assert apart.max() < LIP_SYNC_SECONDS


@pytest.mark.parametrize("drift", [-2e-4, 2e-4])
def test_a_clock_that_runs_faster_is_followed_for_an_hour(drift):
    """200 parts in a million, worse than any quartz: 0.72 s in an hour."""
    pictures, sound = call(3600, drift=drift)
    for shown in (pictures, sound):
        assert np.ptp(shown[250:]) < LIP_SYNC_SECONDS
    assert abs(pictures[-250:].mean() - sound[-250:].mean()) < LIP_SYNC_SECONDS / 4
    assert abs(pictures[-250:].mean() - pictures[250:500].mean()) < 0.01


def test_frames_are_shown_at_an_even_pace():
    playout = Playout(0.1)
    r, shown = np.random.default_rng(2), []
    for i in range(250):
        arrival = i / FPS + 3 + r.uniform(0, 0.04)
        playout.arrived(i / FPS, arrival)
        shown.append(max(playout.due(i / FPS), arrival))
    assert np.abs(np.diff(shown[50:]) - 1 / FPS).max() < 0.002


def test_a_sender_that_begins_again_has_a_clock_of_its_own():
    playout = Playout(0.05)
    playout.arrived(1000.0, 5.0)
    playout.restart()
    playout.arrived(0.0, 6.0)
    assert playout.due(0.0) == pytest.approx(6.05)
