"""Every flip, cut, missing or extra byte of a small stream: refused, or recovered and reported."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from facecodec.bitstream import StreamReader
from facecodec.errors import StreamError
from tests.helpers import toy_streams
from tests.helpers.damage import check, join, read_all, split, start

GOLDEN = Path(__file__).resolve().parent.parent / "vectors" / "streams"
SEGMENT = 5  # frames a segment of the golden stream


@pytest.fixture(scope="module")
def golden() -> bytes:
    return (GOLDEN / "quantised.fcv").read_bytes()


@pytest.fixture(scope="module")
def whole(golden):
    content = read_all(golden)
    assert not content.damage
    assert len(content.frames) == 14
    return content


def body_start(data: bytes) -> int:
    return min(start(data, b"AU"), start(data, b"SE"))


def assert_small_loss(got, whole, at: int, data: bytes) -> None:
    """A hurt byte of the body costs at most its segment, and the number of frames is kept."""
    assert got.damage
    if at >= body_start(data):
        assert len(whole.frames) - len(got.frames) <= SEGMENT
        assert len(got.frames) + got.recovered == len(whole.frames)
        assert got.identity == whole.identity


@pytest.mark.parametrize("pattern", [0x01, 0x80, 0xFF])
def test_every_flipped_byte(golden, whole, pattern):
    refused = 0
    for at in range(len(golden)):
        hurt = bytearray(golden)
        hurt[at] ^= pattern
        got = check(bytes(hurt), whole)
        if got is None:
            refused += 1
            assert at < start(golden, b"ID"), "only magic and header may refuse a whole stream"
        else:
            assert_small_loss(got, whole, at, golden)
    assert refused == start(golden, b"ID")


@pytest.mark.slow
def test_every_value_of_every_byte(golden, whole):
    for at in range(len(golden)):
        for value in range(256):
            if value != golden[at]:
                got = check(golden[:at] + bytes([value]) + golden[at + 1 :], whole)
                if got is not None:
                    assert_small_loss(got, whole, at, golden)


def test_every_truncation(golden, whole):
    for size in range(len(golden)):
        got = check(golden[:size], whole)
        if got is None:
            assert size < start(golden, b"ID")
            continue
        assert got.damage, size
        # What decodes is a beginning, and nothing is made up.
        assert sorted(got.frames) == list(range(len(got.frames)))
        assert got.recovered == 0
        complete = sum(end <= size for end in segment_ends(golden))
        assert len(got.frames) == min(SEGMENT * complete, 14)


def segment_ends(data: bytes) -> list[int]:
    stream = StreamReader(io.BytesIO(data))
    return [c.offset + c.size for c in stream.all_chunks() if getattr(c, "type", b"") == b"SE"]


def test_every_missing_byte(golden, whole):
    for at in range(len(golden)):
        got = check(golden[:at] + golden[at + 1 :], whole)
        if got is not None:
            assert_small_loss(got, whole, at, golden)


def test_every_extra_byte(golden, whole):
    for at in range(len(golden) + 1):
        got = check(golden[:at] + b"\x55" + golden[at:], whole)
        if got is not None:
            assert_small_loss(got, whole, min(at, len(golden) - 1), golden)


def test_the_same_from_a_pipe(golden, whole):
    for at in range(0, len(golden), 3):
        hurt = bytearray(golden)
        hurt[at] ^= 0x10
        from_pipe, from_file = check(bytes(hurt), whole, pipe=True), check(bytes(hurt), whole)
        assert from_pipe == from_file


def test_missing_frames_are_interpolated():
    controls = np.linspace(0, 6, 30, dtype=np.float32)[:, None] * np.ones(35, np.float32)
    data = toy_streams.write(30, controls=controls, segment_frames=10)
    second = [payload for kind, payload in split(data) if kind == b"SE"][1]
    at = data.index(second)
    hurt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    stream = toy_streams.read(hurt)
    frames = list(stream)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.recovered for frame in frames] == [10 <= i < 20 for i in range(30)]
    assert [frame.pts for frame in frames] == [512 * i for i in range(30)]
    steps = toy_streams.header().control_steps
    for frame in frames:
        assert np.all(np.abs(frame.controls - controls[frame.index]) <= steps)
    assert len(stream.damage) == 1
    # The hole seen through a seek, by index and without one.
    some = [frame.index for frame in stream.frames(toy_streams.Fraction(15, 25))]
    assert some[-1] == 29


def test_a_missing_chunk_is_no_damage_and_refused(golden):
    chunks = split(golden)
    first = next(i for i, (kind, _) in enumerate(chunks) if kind == b"SE")
    with pytest.raises(StreamError, match="missing where nothing was lost"):
        read_all(join(chunks[:first] + chunks[first + 1 :]))


def test_joined_streams_are_one_stream_and_a_report(golden, whole):
    got = check(golden + golden, whole)
    assert got is not None
    assert got.frames == whole.frames
    assert "after the end" in str(got.damage[0])


def test_a_chunk_of_another_stream_does_not_pass(golden, whole):
    other = toy_streams.write(20, segment_frames=5)
    at = start(golden, b"SE")
    alien = other[start(other, b"SE") : start(other, b"EN")]
    got = check(golden[:at] + alien + golden[at:], whole)
    assert got is not None
    assert got.frames == whole.frames
    assert got.damage


def test_unknown_chunks(golden, whole):
    chunks = split(golden)
    for place in range(1, len(chunks)):
        got = read_all(join([*chunks[:place], (b"my", b"hello"), *chunks[place:]]))
        assert got.frames == whole.frames
        assert not got.damage
        with pytest.raises(StreamError, match="critical chunk MY .* unknown"):
            read_all(join([*chunks[:place], (b"MY", b"hello"), *chunks[place:]]))


@pytest.mark.parametrize("extra", [-3, 3])
def test_seeking_where_bytes_were_lost_or_put_in(golden, whole, extra):
    """The index then points beside the groups: what is whole is found all the same."""
    at = start(golden, b"SE", last=True) + 9
    hurt = golden[:at] + b"abc" + golden[at:] if extra > 0 else golden[:at] + golden[at + 3 :]
    stream = StreamReader(io.BytesIO(hurt))
    second = whole.frames[SEGMENT][0] * stream.header.time_base
    got = {frame.index: frame for frame in stream.frames(second)}
    assert sorted(got) == list(range(SEGMENT, 14))
    for index in range(SEGMENT, 2 * SEGMENT):
        assert not got[index].recovered
        assert got[index].controls.tobytes() == whole.frames[index][2]


def test_an_identity_taken_out_whole_is_reported(golden, whole):
    rest = [chunk for chunk in split(golden) if chunk[0] != b"ID"]
    got = check(join(rest), whole)
    assert got is not None
    assert got.frames == whole.frames
    assert "identity is missing" in str(got.damage[0])
