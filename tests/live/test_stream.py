"""Live streams over a pipe: whole, joined late, restarted, damaged, and read as files."""

from __future__ import annotations

import io
import random
from fractions import Fraction

import numpy as np
import pytest

from facecodec.bitstream import StreamReader
from facecodec.bitstream.container.describe import describe
from facecodec.bitstream.container.verify import verify
from facecodec.errors import StreamError, UsageError
from facecodec.live import ControlsEncoder, Decoder, LivePerson, LiveSettings
from tests.helpers import live_streams, toy_streams
from tests.helpers.commands import run
from tests.helpers.damage import split
from tests.vectors import golden_streams

FRAMES = 40


def decoded(data: bytes, pieces: int | None = None) -> list:
    decoder = Decoder()
    size = pieces or len(data)
    frames = [
        frame for i in range(0, len(data), size) for frame in decoder.feed(data[i : i + size])
    ]
    assert decoder.ended
    return frames


@pytest.mark.parametrize("segment_frames", [1, 3, 7])
@pytest.mark.parametrize("pieces", [1, 50, None])
def test_frames_come_back_as_a_reader_of_files_sees_them(segment_frames, pieces):
    data = live_streams.stream(FRAMES, segment_frames=segment_frames, key_frames=12)
    stream = toy_streams.read(data)
    live = decoded(data, pieces)
    assert [frame.index for frame in live] == list(range(FRAMES))
    for frame, record in zip(live, stream, strict=True):
        assert frame.time == record.pts * stream.header.time_base
        assert frame.controls.tobytes() == record.controls.tobytes()
        assert (frame.placement is None) == (record.placement is None)
        assert not frame.recovered
    assert not stream.damage


def test_each_push_gives_its_frame():
    encoder = ControlsEncoder(live_streams.header(), live_streams.person())
    decoder = Decoder()
    motion = toy_streams.motion(FRAMES)
    for i, row in enumerate(motion):
        (frame,) = decoder.feed(encoder.push(row, i / live_streams.RATE))
        assert frame.index == i and frame.time == Fraction(i, 30)
        assert np.all(np.abs(frame.controls - row) <= encoder.header.control_steps * 0.6001)
    assert decoder.feed(encoder.close()) == [] and decoder.ended


def test_a_file_of_it_is_whole_and_can_be_entered():
    data = live_streams.stream(FRAMES, key_frames=10, person_bytes=20)
    count, damage = verify(toy_streams.read(data))
    assert (count, damage) == (FRAMES, [])
    stream = toy_streams.read(data)
    assert [entry.first for entry in stream.index().entries] == [0, 10, 20, 30]
    late = list(stream.frames(Fraction(25, 30)))
    assert [frame.index for frame in late] == list(range(25, FRAMES))
    facts = describe(stream, rates=True)
    assert facts["frames"] == FRAMES and facts["damage"] == []
    assert (facts["version"], facts["key_frames"]) == (2, 10)
    assert facts["stream_id"] == live_streams.STREAM_ID.hex()
    assert stream.rate_split().total_bytes == len(data)
    pipe = StreamReader(toy_streams.Pipe(data), "pipe")
    assert len(list(pipe)) == FRAMES and pipe.tuning == live_streams.TUNING and not pipe.damage


def test_info_says_that_a_stream_was_sent_live(tmp_path):
    path = tmp_path / "live.fcv"
    path.write_bytes(live_streams.stream(FRAMES, key_frames=10))
    shown = run("info", path)
    assert "version 2, sent live, a key every 10 frames at most" in shown
    path.write_bytes(toy_streams.write(4))
    assert "sent live" not in run("info", path)


@pytest.mark.parametrize("at", range(0, 70, 7))
def test_joined_late_it_begins_at_the_next_header_and_key(at):
    data = live_streams.stream(FRAMES, key_frames=10, header_keys=1, person_frames=5)
    whole = decoded(data)
    late = decoded(data[len(data) * at // 100 :])
    assert late
    first = late[0].index
    assert first % 10 == 0
    for frame, wanted in zip(late, whole[first:], strict=True):
        assert frame.controls.tobytes() == wanted.controls.tobytes()


def test_a_person_comes_in_parts_and_again():
    person = live_streams.person(toy_streams.light_tuning())
    settings = LiveSettings(person_bytes=30, person_frames=4)
    encoder = ControlsEncoder(live_streams.header(), person, settings=settings)
    decoder = Decoder()
    stages = []
    for data in live_streams.feed(encoder, 200):
        decoder.feed(data)
        stages.append((decoder.identity is not None) + (decoder.tuning is not None))
    assert stages[0] < 2 and stages == sorted(stages) and stages[-1] == 2
    assert decoder.identity == person.identity and decoder.tuning == person.tuning
    assert decoder.counts.unusable == 0


def test_a_restarted_sender_begins_another_stream():
    first = live_streams.stream(7)
    other = ControlsEncoder(live_streams.header(), LivePerson(reference=bytes(31) + b"r"))
    second = b"".join(live_streams.feed(other, 5))
    for data in (first + second, first[: len(first) // 2] + second):
        decoder = Decoder()
        frames = decoder.feed(data)
        assert [frame.index for frame in frames[-5:]] == list(range(5))
        assert decoder.header is not None
        assert decoder.header.stream_id == other.header.stream_id
        assert decoder.identity is None and decoder.identity_reference == bytes(31) + b"r"


def test_two_streams_of_the_same_person_cannot_be_spliced():
    made = [
        ControlsEncoder(live_streams.header(), live_streams.person(None), settings=LiveSettings(
            key_frames=5, person_bytes=8)) for _ in range(2)
    ]  # fmt: skip
    one, two = ([encoder.push(row, i / 30) for i, row in enumerate(toy_streams.motion(10))]
                for encoder in made)  # fmt: skip
    decoder = Decoder()
    frames = decoder.feed(b"".join([*one[:6], *two[6:]]))
    assert [frame.index for frame in frames] == list(range(6))


def test_no_damaged_byte_passes_in_silence():
    data = live_streams.stream(24, key_frames=6, header_keys=2, person_bytes=30)
    whole = {frame.index: frame for frame in toy_streams.read(data)}
    header = len(golden_streams.StreamReader(io.BytesIO(data)).header.pack())
    r = random.Random(4)
    for at in range(header + 10, len(data), 5):
        hurt = data[:at] + bytes([data[at] ^ r.randrange(1, 256)]) + data[at + 1 :]
        try:
            stream = toy_streams.read(hurt)
            frames = list(stream)
        except StreamError:
            continue
        assert stream.damage, at
        for frame in frames:
            if not frame.recovered:
                assert frame.controls.tobytes() == whole[frame.index].controls.tobytes(), at
        lost = sum(frame.recovered for frame in frames)
        assert len(frames) - lost >= 18, at  # at most a key and what continues it


@pytest.mark.parametrize("at", range(1, 14))
def test_a_damaged_length_does_not_keep_a_live_stream_waiting(at):
    """Frames go on with the next key, though the length asks for a megabyte."""
    encoder = ControlsEncoder(live_streams.header(), live_streams.person(), settings=LiveSettings(
        key_frames=5))  # fmt: skip
    sent = [encoder.push(row, i / 30) for i, row in enumerate(toy_streams.motion(20))]
    hurt = bytearray(sent[5 if at < 7 else 6])
    assert hurt.startswith(b"SE") == (at < 7)
    hurt[at % 7] ^= 0xFF
    decoder = Decoder()
    frames = [f for data in [*sent[:5], bytes(hurt), *sent[7:]] for f in decoder.feed(data)]
    shown = {f.index for f in frames if not f.recovered}
    assert shown >= {*range(5), *range(10, 20)}
    assert decoder.counts.unusable


def test_a_cut_of_it_is_a_file_of_version_1(tmp_path):
    from facecodec import cut

    source, part = tmp_path / "live.fcv", tmp_path / "part.fcv"
    source.write_bytes(live_streams.stream(FRAMES))
    done = cut(source, part, start=Fraction(1, 3), end=1)
    stream = toy_streams.read(part.read_bytes())
    assert done.frames == 20 and stream.header.version == 1 and not stream.damage
    whole = list(toy_streams.read(source.read_bytes()))[10:30]
    assert [f.controls.tobytes() for f in stream] == [f.controls.tobytes() for f in whole]


def test_what_a_sender_may_not_do():
    encoder = ControlsEncoder(live_streams.header(), live_streams.person())
    row = toy_streams.motion(1)[0]
    encoder.push(row, 0)
    for bad, time in ((row, 0), (row, -1), (row, float("nan")), (row[:3], 1), (row * np.nan, 1)):
        with pytest.raises(UsageError):
            encoder.push(bad, time)
    with pytest.raises(UsageError, match="audio"):
        encoder.push_audio(toy_streams.packets(1)[0])
    data = encoder.push(row, 1 / 30)
    assert data and encoder.frames == 2
    encoder.close()
    with pytest.raises(UsageError, match="closed"):
        encoder.push(row, 2)
    with pytest.raises(UsageError, match="quantised"):
        ControlsEncoder(live_streams.header(precision="f32"), live_streams.person())
    with pytest.raises(UsageError, match="key_frames"):
        LiveSettings(key_frames=241)


def test_an_unknown_tag_is_passed_over_if_it_is_even():
    (_, payload), *rest = split(live_streams.stream(2, person_bytes=None, key_frames=1))
    from tests.helpers.damage import join

    even = join([(b"\x89FCV", payload + b"\x04\x01x"), *rest])
    assert len(list(toy_streams.read(even))) == 2
    for bad in (b"\x05\x01x", b"\x02\x01\x01", b"\x04\x09x"):
        with pytest.raises(StreamError):
            toy_streams.read(join([(b"\x89FCV", payload + bad), *rest]))
