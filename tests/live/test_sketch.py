"""Pictures drawn in less time, where frames come too fast for whole ones."""

from __future__ import annotations

import threading
from collections import deque
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.generator.sampling import draw_latents
from facecodec.live.easing import FIRST_SPELLS_SECONDS, LATE_SECONDS, Easing
from facecodec.live.receiver import Limits, Receiver
from facecodec.live.sketch import SIDES, Sketches
from facecodec.models import FaceModel

SIZE = 256


@pytest.fixture(scope="module")
def avatar(generator, rig):
    rows = draw_latents(generator, generator.num_ws, seed=4, truncation=0.6)
    return Avatar(FaceModel(generator, rig), rows.numpy())


def error(picture: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared error."""
    return float(np.square(picture.astype(float) - truth).mean())


def test_a_sketch_is_near_the_picture_and_nearer_than_the_preview(avatar):
    rows = np.zeros((2, avatar.num_controls), np.float32)
    rows[1, :6] = 0.4
    wholes = avatar.render(rows, SIZE)
    sketches = Sketches(avatar, SIZE)
    assert not sketches.ready
    sketches.note(rows[0], wholes[0])
    assert sketches.ready
    sketch = sketches.draw(rows[1])
    assert sketch.shape == wholes[1].shape and sketch.dtype == np.uint8
    moved = error(wholes[0], wholes[1])
    assert error(sketch, wholes[1]) < 0.5 * moved
    quick = sketches.draw(rows[1], 2)
    assert error(sketch, wholes[1]) < error(quick, wholes[1]) < 0.5 * moved
    assert np.array_equal(sketches.draw(rows[1], 3), quick)  # there is none below
    for side in SIDES:
        sketches._errors[side] = sketches._errors[side] * 0  # a preview that nothing corrects
    assert error(sketch, wholes[1]) < error(sketches.draw(rows[1]), wholes[1])
    assert error(quick, wholes[1]) < error(sketches.draw(rows[1], 2), wholes[1])


def test_a_large_sketch_is_enlarged(avatar):
    row = np.full(avatar.num_controls, 0.1, np.float32)
    whole = avatar.render(row[None], 512)[0]
    sketches = Sketches(avatar, 512)
    sketches.note(row, whole)
    sketch = sketches.draw(row)
    assert sketch.shape == whole.shape
    halves = sketch.reshape(256, 2, 256, 2, 3).astype(float).mean((1, 3))
    wanted = whole.reshape(256, 2, 256, 2, 3).astype(float).mean((1, 3))
    assert error(halves, wanted) < 4


def test_a_generator_without_previews_makes_no_sketches():
    bare = SimpleNamespace(generator=SimpleNamespace(preview_sizes=()))
    sketches = Sketches(bare, SIZE)
    sketches.note(np.zeros(35, np.float32), np.zeros((SIZE, SIZE, 3), np.uint8))
    assert not sketches.ready


def levels(times: tuple[float, float, float], seconds: float, pause: float = 0.0) -> list[int]:
    """The level of each frame, 25 a second, where a picture takes `times` by its level.

    pause: seconds at the beginning in which nothing is drawn.
    """
    easing, now, chosen = Easing(), 100.0 + pause, []
    for i in range(round(25 * seconds)):
        came = 100.0 + i / 25
        now = max(now, came)
        waits = now >= came + 1 / 25  # a younger one has come
        chosen.append(easing.level(now, now - came if waits else 0.0))
        now += times[chosen[-1]]
    assert now - (100.0 + seconds) < 0.1  # it is not behind
    return chosen


def test_the_sharpest_level_that_is_quick_enough_is_used_most():
    assert set(levels((0.03, 0.03, 0.03), 60)) == {0}
    second = levels((0.05, 0.03, 0.02), 60)
    assert second.count(1) > 0.7 * len(second)
    third = levels((0.06, 0.045, 0.02), 60)
    assert third.count(2) > 0.7 * len(third)


def test_a_pause_is_caught_up_with_and_forgotten():
    chosen = levels((0.035, 0.025, 0.015), 20, pause=0.5)
    assert chosen[0] > 0 and set(chosen[200:]) == {0}
    easing, now = Easing(), 0.0
    for _ in range(20):  # pauses that have nothing to do with each other
        now += 600
        assert easing.level(now, 2 * LATE_SECONDS) == 1
        assert easing.level(now + 1.5 * FIRST_SPELLS_SECONDS[0], 0.0) == 0


class Clock:
    now = 100.0

    def perf_counter(self) -> float:
        return self.now


class Viewer:
    """Draws a whole picture in `whole` seconds, a sketch in `quick`."""

    stage, quick_sketches, sharpness = "person", 0, None

    def __init__(self, whole: float, quick: float, clock: Clock) -> None:
        self.took, self.sketches, self.clock = (whole, quick), 0, clock
        self.decoder = SimpleNamespace(
            header=object(), audio=None, ended=True, flush=list,
            counts=SimpleNamespace(frames=0, recovered=0, skipped=0, late=0, unusable=0),
        )  # fmt: skip

    def draw(self, frame: object, sketched: int) -> None:
        self.sketches += sketched > 0
        self.clock.now += self.took[sketched > 0]


@pytest.mark.parametrize(
    ("whole", "quick", "every", "sketched", "dropped"),
    [
        (0.001, 0.001, False, False, False),
        (0.03, 0.001, False, True, False),
        (0.03, 0.03, False, True, True),
        (0.03, 0.001, True, False, False),
    ],
)
def test_pictures_are_sketched_before_any_is_dropped(
    whole, quick, every, sketched, dropped, monkeypatch
):
    count, interval = 40, 0.012
    clock = Clock()
    monkeypatch.setattr("facecodec.live.receiver.time", clock)
    viewer = Viewer(whole, quick, clock)
    frames = [
        SimpleNamespace(index=i, time=Fraction(i, 80), recovered=False, stream_id=b"")
        for i in range(count)
    ]
    screen = SimpleNamespace(show=lambda *_: None, has_audio=False)
    receiver = Receiver(SimpleNamespace(ended=False), viewer, screen, None)
    begin = clock.now
    left = deque(enumerate(frames))

    def take(patience: float) -> None:
        now = clock.now
        while left and begin + left[0][0] * interval <= now:
            number, frame = left.popleft()
            receiver._waiting.append((frame, begin + number * interval))
        if not receiver._waiting:
            clock.now += 0.001

    receiver._take = take
    receiver._is_over = lambda silence: not left
    receiver.run(threading.Event(), Limits(every=every), lambda _: None)
    done = receiver.summary()
    assert done.pictures + done.dropped == count
    assert (done.sketched > 0, done.dropped > 0) == (sketched, dropped)
    if sketched and not dropped:
        assert done.sketched < count - LATE_SECONDS / whole  # the first were whole
