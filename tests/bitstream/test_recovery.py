"""What stands in for lost frames, and what is refused or reported instead (SPEC.md section 11)."""

from __future__ import annotations

import io
import time
from fractions import Fraction

import numpy as np
import pytest

from facecodec.bitstream import FrameRecord, StreamReader
from facecodec.bitstream.fields import FieldWriter
from facecodec.errors import StreamError
from tests.helpers import toy_streams
from tests.helpers.damage import join, places, split, start

EXACT = toy_streams.header(precision="f32", control_steps=[1.0])


def hurt_segments(data: bytes, which: list[int]) -> bytes:
    """Return a stream with one byte of some of its segments flipped."""
    segment_starts = [at for at, kind, _ in places(data) if kind == b"SE"]
    out = bytearray(data)
    for place in which:
        out[segment_starts[place] + 4] ^= 0x20
    return bytes(out)


def cut_off(data: bytes, segments: int) -> bytes:
    """Return a stream whose last segments are garbage of the same size, its end chunk whole."""
    segment_starts = [at for at, kind, _ in places(data) if kind == b"SE"]
    at, end = segment_starts[-segments], start(data, b"EN")
    return data[:at] + bytes(end - at) + data[end:]


def read(data: bytes) -> tuple[list[FrameRecord], list[str]]:
    stream = StreamReader(io.BytesIO(data), "hurt.fcv")
    return list(stream), [str(damage) for damage in stream.damage]


@pytest.mark.parametrize("segment_frames", [1, 2, 3])
@pytest.mark.parametrize("ticks", [1, 40, 512])
def test_times_after_the_last_known_frame_go_on_by_the_last_step(segment_frames, ticks):
    """The step is that of the last two frames known, also across two segments."""
    pts = [ticks * i for i in range(12)]
    head = toy_streams.header(frame_rate=None, time_base=Fraction(1, 1000))
    data = toy_streams.write(12, head=head, pts=pts, segment_frames=segment_frames)
    for lost in (1, 2):
        frames, damage = read(cut_off(data, lost))
        assert [frame.pts for frame in frames] == pts
        assert damage


def test_times_before_the_first_known_frame_use_its_first_step():
    """The nearest step known there, not the last one of its segment."""
    pts = [0, 10, 20, 30, 40, 50, 150, 250]
    head = toy_streams.header(frame_rate=None, time_base=Fraction(1, 1000))
    data = toy_streams.write(8, head=head, pts=pts, segment_frames=4)
    frames, _ = read(hurt_segments(data, [0]))
    assert [frame.pts for frame in frames] == pts
    assert [frame.recovered for frame in frames] == [True] * 4 + [False] * 4


@pytest.mark.parametrize("lost", [[0], [4]])
def test_without_two_neighbours_the_usual_step_is_taken(lost):
    """One frame a segment: every second lost, so that no step is known at the ends."""
    data = toy_streams.write(5, segment_frames=1)
    frames, _ = read(hurt_segments(data, [*lost, 1, 3]))
    assert [frame.pts for frame in frames] == [512 * i for i in range(5)]


def test_the_middle_of_an_odd_gap_is_of_the_later_end():
    flags = [1] * 3 + [0] * 3 + [2] * 3
    data = toy_streams.write(9, flags=flags, segment_frames=3)
    frames, _ = read(hurt_segments(data, [1]))
    assert [int(frame.flags) for frame in frames[3:6]] == [1, 2, 2]


def one_frame(first: int, pts: int) -> bytes:
    """Return the payload of a segment of one frame of `EXACT`."""
    usual, clock = 125, 512 * first
    body = FieldWriter().varint(first).signed(1 - usual).signed(pts - clock)
    body.raw(np.ones(1, "<f4").tobytes())
    return bytes(body.data)


def test_recovered_times_rise_and_a_segment_that_leaves_no_room_is_dropped():
    """Five frames missing where the clock moved by two ticks: no writer makes that."""
    data = toy_streams.write(4, head=EXACT, controls=np.zeros((4, 1)), segment_frames=1)
    chunks = split(data)
    late = (b"SE", one_frame(9, 512 * 3 + 2))
    built = join([*chunks[:-1], late, chunks[-1]])
    at = [at for at, kind, _ in places(built) if kind == b"SE"][-1]
    frames, damage = read(built[:at] + bytes(30) + built[at:])
    assert any("leaves no room" in line for line in damage)
    times = [frame.pts for frame in frames]
    assert all(a < b for a, b in zip(times, times[1:], strict=False))
    roomy = (b"SE", one_frame(9, 512 * 3 + 6))
    built = join([*chunks[:-1], roomy, chunks[-1]])
    frames, damage = read(built[:at] + bytes(30) + built[at:])
    assert [frame.pts for frame in frames[3:]] == [1536 + i for i in range(7)]


def test_an_end_that_counts_fewer_frames_is_reported():
    data = toy_streams.write(12, segment_frames=4)
    shorter = toy_streams.write(8, segment_frames=4)
    frames, damage = read(data[: start(data, b"EN")] + shorter[start(shorter, b"EN") :])
    assert len(frames) == 12
    assert any("counts 8 frames, 12 came" in line for line in damage)


@pytest.mark.parametrize("count", [1, 3])
def test_all_segments_lost_says_how_many_frames(count):
    data = toy_streams.write(10 * count, segment_frames=10)
    frames, damage = read(hurt_segments(data, list(range(count))))
    assert not frames
    assert any(f"{10 * count} frames are missing" in line for line in damage)


def test_the_last_audio_chunk_taken_out_is_reported():
    """No frame counts audio packets; the sizes of the index do."""
    data = toy_streams.write(12, audio=toy_streams.packets(40), segment_frames=4)
    chunks = split(data)
    for place in [i for i, (kind, _) in enumerate(chunks) if kind == b"AU"]:
        _, damage = read(join(chunks[:place] + chunks[place + 1 :]))
        assert damage, place


def still(segments: int, junk: int) -> bytes:
    """Return still segments of 240 frames, a gap of 240 frames and junk before each."""
    head = toy_streams.header(control_steps=[1.0])
    data = toy_streams.write(
        240, head=head, controls=np.zeros((240, 1)), place=False, segment_frames=240
    )
    preamble = split(data)[:-2]
    tail = bytes(split(data)[-2][1][1:])
    every = [
        (b"SE", bytes(FieldWriter().varint(480 * i + 240).data) + tail) for i in range(segments)
    ]
    whole = join([*preamble, *every])
    out, rows = b"", places(whole)
    for (at, _, _), (end, _, _) in zip(rows, [*rows[1:], (len(whole), b"", b"")], strict=True):
        out += (bytes(junk) if at >= rows[len(preamble)][0] else b"") + whole[at:end]
    return out


@pytest.mark.parametrize("junk", [1, 11, 40])
def test_recovered_frames_are_bounded_by_the_bytes_of_the_file(junk):
    """n bytes decode to at most 24 n frames, those made up for the lost ones included."""
    data = still(200, junk)
    begin = time.process_time()
    frames = 0
    stream = StreamReader(io.BytesIO(data), "still.fcv")
    try:
        for _ in stream:
            frames += 1
    except StreamError as error:
        assert "more than it can hold" in str(error)  # noqa: PT017
    assert frames <= 24 * len(data)
    assert time.process_time() - begin < 30
