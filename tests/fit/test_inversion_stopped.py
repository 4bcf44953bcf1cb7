"""An inversion that is stopped after every step it takes comes to the same bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec import checkpoint
from facecodec.checkpoint import Checkpoint, Replay, keeping, stage
from facecodec.fit import recovery, search_space
from facecodec.fit.inversion import InversionPlan, InversionStart, invert
from facecodec.fit.objective import Target, weight_map
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.recovery import recovered
from facecodec.fit.tracking import Tracker
from tests.helpers.tiny_generator import tiny_generator, tiny_rig

FRAMES, PIXELS, FEATURES = 2, 64, 50
PLAN = InversionPlan(
    w_steps=2, gaze_steps=1, w_plus_steps=4, full_steps=2, coarse_size=PIXELS,
    tracking=TrackingPlan(size=PIXELS, iterations=1, preview_renders=2),
)  # fmt: skip
READINGS_AT_ONCE = 60  # from one stop to the next


class Stopped(Exception):
    """An inversion ends here."""


class Reader:
    """Features of controls, which depend on the reading before, as a face that is followed."""

    def __init__(self) -> None:
        self.answers = np.random.default_rng(0).standard_normal((FEATURES, 35)) * 6
        self.last = np.zeros(FEATURES)

    def state(self) -> list:
        return [self.last]

    def restore(self, state: list) -> None:
        (self.last,) = state

    def read(self, controls: np.ndarray) -> np.ndarray:
        self.last = np.tanh(self.answers @ controls * 0.1 + 0.01 * self.last)
        return self.last


class Work:
    """An inversion of random pictures, which can be stopped after so many events."""

    def __init__(self) -> None:
        self.generator = tiny_generator()
        self.basis = tiny_rig(self.generator).basis(self.generator)
        draw = torch.Generator().manual_seed(3)
        pictures = torch.rand(FRAMES, 3, PIXELS, PIXELS, generator=draw) - 0.5
        weights = weight_map(None, PIXELS)
        self.targets = [Target(picture, weights, None) for picture in pictures]
        self.wanted = np.random.default_rng(1).standard_normal((FRAMES, FEATURES))
        self.events, self.stop, self.readings = list[str](), 1 << 30, 0
        self.track = Tracker.track

    def event(self, name: str) -> None:
        if len(self.events) >= self.stop:
            raise Stopped
        self.events.append(name)

    def recover(self, tracker, person, controls):
        reader = Reader()
        readings = Replay(stage("readings"), FEATURES, reader)

        def one(row: np.ndarray) -> np.ndarray:
            if self.readings % READINGS_AT_ONCE == 0:
                self.event("readings")
            self.readings += 1
            return reader.read(row)

        def read(rows: np.ndarray) -> np.ndarray:
            return np.stack([readings(lambda row=row: one(row)) for row in rows])

        return recovered(tracker, read, self.targets, self.wanted, controls)

    def run(self, stop: int = 1 << 30) -> list[bytes]:
        """Return the bits of the latent and of the controls. Raises Stopped."""
        self.events, self.stop, self.readings = [], stop, 0
        start = InversionStart(torch.zeros(FRAMES, 35), None, self.recover)

        def report(name: str, done: int, total: int | None) -> None:
            self.event(name)

        made = invert(self.generator, self.basis, self.targets, start, PLAN, None, report)
        return [made.w_plus.numpy().tobytes(), made.controls.numpy().tobytes()]


@pytest.fixture
def work(monkeypatch) -> Work:
    """Where every step is kept, and every frame is sought for by what is read."""
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SECONDS", 0.0)
    monkeypatch.setattr(search_space, "DIRECTION_SAMPLES", 520)
    for name in ("LOST_RATIO", "NEVER_LOST_BELOW", "ALWAYS_LOST_ABOVE"):
        monkeypatch.setattr(recovery, name, 0.0)
    made = Work()

    def tracked(tracker, *given, **named):
        made.event("frame")
        return made.track(tracker, *given, **named)

    monkeypatch.setattr(Tracker, "track", tracked)
    return made


def test_stopped_after_every_step(work, tmp_path):
    wanted, events = work.run(), list(work.events)
    assert events.count("inversion") == 9 and events.count("frame") >= FRAMES
    assert events.count("readings") > 1
    made, ended = 0, None
    while ended is None:
        with keeping(Checkpoint(tmp_path)):
            try:
                ended = work.run(stop=2)
            except Stopped:
                made += 1
    assert ended == wanted
    assert made >= (len(events) - 1) // 2  # no step is taken twice, or it would not end
