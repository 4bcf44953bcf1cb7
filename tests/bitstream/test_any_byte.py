"""Every byte of every golden stream flipped: what the other bytes carry is read all the same."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from facecodec.bitstream import StreamReader
from tests.helpers import toy_streams
from tests.helpers.damage import check, places, read_all, segments, start

GOLDEN = Path(__file__).resolve().parent.parent / "vectors" / "streams"


def one_frame_segments() -> bytes:
    """Return a stream without sound as a live sender writes it: a frame a segment."""
    return toy_streams.write(7, segment_frames=1, place=False)


def with_everything() -> bytes:
    """Return a stream with sound, placement, a tuning of two parts and several segments."""
    return toy_streams.write(
        9, audio=toy_streams.packets(18, 12), tuning=b"opaque", flags=[1] * 9, segment_frames=4
    )


def with_context() -> bytes:
    """Return a stream with the context of several segments."""
    return toy_streams.write(9, context=True, segment_frames=4)


MADE = {
    "one frame a segment": one_frame_segments,
    "everything": with_everything,
    "context": with_context,
}
NAMES = ["example.fcv", "quantised.fcv", "rough.fcv", "f16.fcv", "f32.fcv", "variable.fcv", *MADE]


def stream_bytes(name: str) -> bytes:
    return MADE[name]() if name in MADE else (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pipe", [False, True], ids=["file", "pipe"])
def test_a_flipped_byte_costs_its_own_segment_at_most(name, pipe):
    data = stream_bytes(name)
    whole = read_all(data)
    assert not whole.damage
    parts = segments(data)
    header_end = places(data)[1][0]
    stride = 3 if pipe or len(data) > 400 else 1
    for at in range(header_end % stride, len(data), stride):
        hurt = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        got = check(hurt, whole, pipe=pipe)
        if at < header_end:
            assert got is None, at
            continue
        assert got is not None, f"byte {at}: refused though all but one segment can be read"
        assert got.damage, at
        lost = [frames for where, frames in parts if at in where]
        kept = set(whole.frames).difference(*lost)
        assert set(got.frames) == kept, at
        survives = bool(kept)
        assert got.recovered == (sum(map(len, lost)) if survives else 0), at


@pytest.mark.parametrize("name", NAMES)
def test_a_first_segment_that_is_lost_is_recovered(name):
    """The bytes lost before the first whole chunk of the body count as those after it do."""
    data = stream_bytes(name)
    at = start(data, b"SE")
    hurt = data[:at] + b"\0" + data[at + 1 :]
    stream = StreamReader(io.BytesIO(hurt), "hurt.fcv")
    frames = list(stream)
    others = segments(data)[1:]
    assert stream.damage
    if others:
        count = others[-1][1].stop
        assert [frame.index for frame in frames] == list(range(count))
        assert [frame.recovered for frame in frames] == [
            i < others[0][1].start for i in range(count)
        ]
    else:
        assert not frames


def test_seeking_to_the_beginning_gives_what_reading_does():
    """The first segment is lost; asking for time 0 and asking for everything say the same."""
    for name in ("variable.fcv", "f16.fcv", "one frame a segment"):
        data = stream_bytes(name)
        at = start(data, b"SE") + 9
        hurt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        reader = StreamReader(io.BytesIO(hurt), "hurt.fcv")
        everything = [frame.index for frame in reader]
        early = min(frame.pts for frame in reader) * reader.header.time_base
        assert [frame.index for frame in reader.frames(early)] == everything
