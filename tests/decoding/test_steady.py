"""Frames without the tremble of tracking and quantising."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facecodec.bitstream import ContextPictures, FrameFlags, FrameRecord
from facecodec.decoding.steady import MOST_STEPS, steadied

STEPS = np.array([0.25, 0.25, 0.25, 1 / 512], np.float32)
TRUE = np.stack(
    [100 + 0.11 * np.sin(np.arange(60) / 9 + i) * 40 * STEPS[i] for i in range(4)], axis=1
)


def frames(placements: np.ndarray) -> list[FrameRecord]:
    controls = np.zeros(3, np.float32)
    return [
        FrameRecord(i, 3 * i, controls, row.astype(np.float32), FrameFlags(0))
        for i, row in enumerate(placements)
    ]


def second_differences(rows: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(rows, n=2, axis=0)).mean(0)


def test_still_heads_do_not_tremble():
    stored = frames(np.round(TRUE / STEPS) * STEPS)
    made = list(steadied(iter(stored), STEPS))
    before = np.array([frame.placement for frame in stored])
    after = np.array([frame.placement for frame in made])
    assert (np.abs(after - before) <= MOST_STEPS * STEPS + 1e-5).all()
    assert (second_differences(after) < 0.35 * second_differences(before)).all()
    assert (np.abs(after - TRUE).mean(0) < np.abs(before - TRUE).mean(0)).all()
    assert [(f.index, f.pts) for f in made] == [(f.index, f.pts) for f in stored]


def test_a_tremble_goes_and_a_blink_stays():
    noise = 0.15 * np.random.default_rng(3).standard_normal((60, 3)).astype(np.float32)
    noise[30:34, 0] += 3  # a blink
    stored = [replace(f, controls=row) for f, row in zip(frames(TRUE), noise, strict=True)]
    made = np.array([frame.controls for frame in steadied(iter(stored), STEPS)])
    calm = np.r_[0:24, 40:60]
    assert (made[calm].std(0) < 0.6 * noise[calm].std(0)).all()
    assert made[31:33, 0].min() > 2.7
    assert np.abs(made[[28, 36], 0]).max() < 0.3


def test_all_else_comes_in_order():
    stored = frames(np.zeros((12, 4)))
    stored[5] = replace(stored[5], placement=None)
    pictures = ContextPictures((0,), (b"",))
    items = [pictures, *stored[:7], pictures, *stored[7:], pictures]
    made = list(steadied(iter(items), STEPS))
    assert [type(item) for item in made] == [type(item) for item in items]
    assert [f.index for f in made if isinstance(f, FrameRecord)] == list(range(12))
    assert [f.placement is None for f in made if isinstance(f, FrameRecord)][5]
    assert not list(steadied(iter(()), STEPS))


def test_an_angle_goes_the_short_way():
    rows = np.zeros((9, 4))
    rows[:, 3] = np.pi * np.where(np.arange(9) % 2, 0.9999, -0.9999)
    for before, after in zip(frames(rows), steadied(iter(frames(rows)), STEPS), strict=True):
        assert isinstance(after, FrameRecord)
        assert before.placement is not None
        assert after.placement is not None
        assert abs(after.placement[3] - before.placement[3]) <= MOST_STEPS * STEPS[3] + 1e-6
