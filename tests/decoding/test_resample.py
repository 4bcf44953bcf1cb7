"""Frames at another rate than the stream's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from facecodec.bitstream import AudioPacket, ContextPictures
from facecodec.decoding.resample import check_fps, resampled
from facecodec.errors import UsageError
from tests.helpers import toy_streams

FRAMES = 12
TICKS = 512  # of 1 / 12800 s: 25 frames a second


def rows(fps: Fraction, first: int = 0) -> list:
    data = toy_streams.write(FRAMES, pts=[first + TICKS * i for i in range(FRAMES)])
    stream = toy_streams.read(data)
    return list(resampled(stream.items(), stream.header, fps))


def test_twice_as_many_lie_between_their_neighbours():
    plain = list(toy_streams.read(toy_streams.write(FRAMES)))
    double = rows(Fraction(50))
    assert [frame.index for frame in double] == list(range(2 * FRAMES))
    for i, frame in enumerate(plain):
        assert (double[2 * i].controls == frame.controls).all()
        assert double[2 * i].pts == frame.pts
    middle = (plain[3].controls + plain[4].controls) / 2
    assert np.abs(double[7].controls - middle).max() < 1e-5
    assert (double[-1].controls == plain[-1].controls).all()


def test_fewer_are_those_of_their_times():
    plain = list(toy_streams.read(toy_streams.write(FRAMES)))
    slow = rows(Fraction(25, 4))
    assert [frame.index for frame in slow] == [0, 1, 2]
    for i in range(3):
        assert (slow[i].controls == plain[4 * i].controls).all()


def test_numbers_are_times_on_the_source_s_clock():
    """So that sound stays where it is: a stream may begin at any time."""
    late = rows(Fraction(10), first=TICKS * 3 // 2)  # 0.06 s
    assert late[0].index == 1
    assert late[0].pts == 1280
    assert all(frame.pts == 1280 * frame.index for frame in late[:-1])


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(60), Fraction(1)])
def test_the_length_stays(fps):
    made = rows(fps)
    assert abs(len(made) / fps - Fraction(FRAMES, 25)) <= 1 / fps


def test_all_else_passes():
    packets = toy_streams.packets(6)
    data = toy_streams.write(FRAMES, audio=packets, context=True)
    stream = toy_streams.read(data)
    made = list(resampled(stream.items(context=True), stream.header, Fraction(30)))
    assert [item for item in made if isinstance(item, AudioPacket)] == packets
    assert sum(isinstance(item, ContextPictures) for item in made) == 2


def test_what_is_no_rate():
    assert check_fps(None) is None
    assert check_fps("29.97") == Fraction(2997, 100)
    for wrong in (0, -3, 500):
        with pytest.raises(UsageError):
            check_fps(wrong)
