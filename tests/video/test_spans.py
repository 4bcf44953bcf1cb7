"""Parts of streams: counted from the first frame, and sound that ends with the picture."""

from __future__ import annotations

from fractions import Fraction

import pytest

from facecodec.bitstream import AudioPacket, FrameRecord, StreamReader
from facecodec.decoding.span import limited, spanned
from tests.helpers import toy_streams

FRAMES = 100  # at 25 a second; audio of 1024 samples at 48 kHz


def stream(first: int, pipe: bool) -> StreamReader:
    """A stream whose first frame is at `first` seconds, and its sound with it."""
    audio = [
        AudioPacket(p.pts + 48000 * first, p.dts + 48000 * first, p.duration, p.data)
        for p in toy_streams.packets(190)
    ]
    data = toy_streams.write(
        FRAMES, pts=[512 * i + 12800 * first for i in range(FRAMES)], audio=audio
    )
    return StreamReader(toy_streams.Pipe(data), "pipe") if pipe else toy_streams.read(data)


def parts(items: list[FrameRecord | AudioPacket], first: int) -> tuple[list[Fraction], list[float]]:
    frames = [Fraction(i.pts, 12800) - first for i in items if isinstance(i, FrameRecord)]
    return frames, [
        float(Fraction(i.pts, 48000) - first) for i in items if isinstance(i, AudioPacket)
    ]


@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize("first", [0, 3, 1000])
def test_spans_count_from_the_first_frame(first, pipe):
    items = list(spanned(stream(first, pipe), Fraction(1), Fraction(2)))
    frames, sound = parts(items, first)
    assert frames == [1 + Fraction(i, 25) for i in range(25)]
    assert min(sound) >= 1 and max(sound) < 2 and len(sound) > 40


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("count", [1, 7, 30])
@pytest.mark.parametrize("start", [None, Fraction(1)])
def test_sound_ends_with_the_last_frame(first, count, start):
    reader = stream(first, False)
    frames, sound = parts(list(limited(spanned(reader, start, None), count, reader)), first)
    assert len(frames) == count
    end = float(frames[-1]) + 1 / 25
    assert end - 0.05 < max(sound) < end


def test_without_a_limit_everything_passes():
    reader = stream(0, False)
    frames, sound = parts(list(limited(spanned(reader, None, None), None, reader)), 0)
    assert len(frames) == FRAMES and len(sound) == 190
    frames, sound = parts(list(limited(spanned(reader, None, None), 500, reader)), 0)
    assert len(frames) == FRAMES and len(sound) == 190


def test_damage_is_told_once():
    data = bytearray(toy_streams.write(40, segment_frames=10))
    at = data.index(b"SE") + 30
    data[at] ^= 255
    reader = toy_streams.read(bytes(data))
    list(spanned(reader, Fraction(1, 2), None))
    assert len(reader.damage) == len({str(d) for d in reader.damage})
