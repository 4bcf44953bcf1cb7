"""A target rate: the best quality that keeps to it, the same one each time."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from facecodec.bitstream import StreamHeader, control_steps
from facecodec.cli.main import main
from facecodec.encoding.motion import Motion
from facecodec.encoding.rate import check_target, motion_bytes, quality_for
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment
from tests.helpers import toy_streams

FRAMES, RATE = 100, 25
STEPS = np.full(35, 0.05, np.float32)


@pytest.fixture
def clip() -> SimpleNamespace:
    return SimpleNamespace(
        pts=np.arange(FRAMES), time_base=Fraction(1, RATE), duration=Fraction(FRAMES, RATE),
        alignments=[Alignment(300.0, 200.0, 250.0, 0.01)] * FRAMES,
    )  # fmt: skip


@pytest.fixture
def motion() -> Motion:
    controls = toy_streams.motion(FRAMES, 35)
    return Motion(controls, np.zeros(FRAMES, np.uint8), np.zeros(FRAMES), None)


def header_of(quality: int) -> StreamHeader:
    return toy_streams.header(
        control_steps=control_steps(STEPS, quality), quality=quality,
        time_base=Fraction(1, RATE), frame_rate=Fraction(RATE),
    )  # fmt: skip


@pytest.fixture
def stored_at(motion) -> Callable[[int], tuple[StreamHeader, Motion]]:
    return lambda quality: (header_of(quality), motion)


@pytest.mark.parametrize("target", [3000, 6000])
def test_the_best_quality_that_keeps_to_it(clip, motion, stored_at, target):
    quality = quality_for(target, stored_at, clip)
    assert 0 < quality < 100
    taken = [8 * motion_bytes(header_of(q), clip, motion) / 4 for q in (quality, quality + 1)]
    assert taken[0] <= target < taken[1]
    assert taken[0] > 0.9 * target
    assert quality_for(target, stored_at, clip) == quality


def test_more_bits_are_never_worse(clip, stored_at):
    chosen = [quality_for(bits, stored_at, clip) for bits in (800, 2400, 4000, 100_000)]
    assert chosen == sorted(chosen) and chosen[-1] == 100


def test_what_cannot_be_reached_is_the_lowest(clip, stored_at):
    assert quality_for(100, stored_at, clip) == 0


def test_misuse_is_refused():
    check_target(None, "f32")
    for bits, precision, words in ((99, "quantised", "99"), (2000, "f16", "f16")):
        with pytest.raises(UsageError, match=words):
            check_target(bits, precision)
    for options, words in (
        (("--bitrate", "2k", "--quality", 50), "give one"),
        (("--bitrate", "much"), "no rate"),
    ):
        line = ["encode", "x.mp4", "x.fcv", *map(str, options)]
        result = CliRunner().invoke(main, line)
        assert result.exit_code == 2 and words in result.output
