"""What goes into a stream comes out: every precision, every track, every way to read it."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pytest

from facecodec.bitstream import (
    AudioPacket,
    FrameFlags,
    FrameRecord,
    StreamReader,
    StreamWriter,
    control_steps,
)
from facecodec.errors import StreamError, UsageError
from tests.helpers import damage
from tests.helpers import toy_streams as streams


def controls_of(data: bytes) -> np.ndarray:
    return np.stack([frame.controls for frame in streams.read(data)])


@pytest.mark.parametrize("frames", [1, 2, 9, 10, 11, 37])
def test_quantised_controls_are_within_half_a_step(frames):
    controls = streams.motion(frames)
    got = controls_of(streams.write(frames, controls=controls))
    steps = streams.header().control_steps
    assert got.shape == controls.shape
    assert np.all(np.abs(got - controls) <= steps / 2 * 1.000001)
    # Every value is a whole number of steps, exactly.
    assert np.array_equal(got, np.round(got / steps).astype(np.float32) * steps)


def test_f32_is_exact():
    controls = streams.motion(23) * np.float32(1e3)
    controls[5, 3] = np.float32(1e-42)  # a subnormal
    controls[6, 4] = -0.0
    data = streams.write(23, head=streams.header(precision="f32"), controls=controls)
    assert controls_of(data).tobytes() == controls.tobytes()
    assert streams.read(data).identity(streams.W_MEAN).tobytes() == streams.latent().tobytes()


def test_f16_is_exact_for_half_floats():
    controls = streams.motion(23).astype(np.float16).astype(np.float32)
    data = streams.write(23, head=streams.header(precision="f16"), controls=controls)
    assert controls_of(data).tobytes() == controls.tobytes()


@pytest.mark.parametrize("precision", ["f16", "f32"])
def test_exact_precisions_refuse_what_they_cannot_hold(precision):
    controls = streams.motion(3)
    controls[1, 0] = np.float32(1e5 if precision == "f16" else np.inf)
    with pytest.raises(UsageError):
        streams.write(3, head=streams.header(precision=precision), controls=controls)


def test_quality_moves_the_rate_smoothly():
    controls = streams.motion(100)
    sizes = []
    for quality in range(0, 101, 10):
        head = streams.header(control_steps=control_steps(streams.BASE_STEPS, quality))
        data = streams.write(100, head=head, controls=controls, segment_frames=None)
        sizes.append(streams.read(data).rate_split().controls_bytes)
    ratios = np.array(sizes[1:]) / sizes[:-1]
    assert np.all(ratios > 1.02), sizes
    assert np.all(ratios < 2), sizes


def test_identity_is_within_half_a_step():
    got = streams.read(streams.write(1)).identity(streams.W_MEAN)
    assert np.max(np.abs(got - streams.latent())) <= 0.06 / 2 * 1.05


def test_variable_frame_times_come_back():
    rng = np.random.default_rng(0)
    pts = np.cumsum(rng.integers(1, 5000, 60)).tolist()
    pts = [p - 10_000 for p in pts]  # negative at first, as some files are
    for rate in (None, Fraction(25), Fraction(24000, 1001)):
        head = streams.header(frame_rate=rate, time_base=Fraction(1, 90000))
        stream = streams.read(streams.write(60, head=head, pts=pts))
        assert [frame.pts for frame in stream] == pts
        assert stream.header.time_base == Fraction(1, 90000)
        assert stream.header.frame_rate == rate


def test_regular_frame_times_cost_next_to_nothing():
    pts = [round(i * Fraction(1001, 24000) * 90000) for i in range(240)]
    head = streams.header(frame_rate=Fraction(24000, 1001), time_base=Fraction(1, 90000))
    regular = streams.write(240, head=head, pts=pts, segment_frames=240)
    assert [frame.pts for frame in streams.read(regular)] == pts
    jumping = [p + (i * 37) % 11 for i, p in enumerate(pts)]
    assert len(streams.write(240, head=head, pts=jumping, segment_frames=240)) > len(regular) + 50


def test_flags_come_back():
    flags = [0, 0, 1, 1, 1, 0, 2, 2, 3, 0, 0, 2, 1, 0]
    stream = streams.read(streams.write(14, flags=flags))
    assert [int(frame.flags) for frame in stream] == flags
    assert FrameFlags.NO_FACE in list(stream)[2].flags


def test_placement_comes_back_and_may_be_missing():
    file = io.BytesIO()
    track = streams.placements(25)
    missing = {0, 7, 8, 24}
    with StreamWriter(file, streams.header(), 10) as writer:
        writer.write_identity(streams.latent(), streams.W_MEAN)
        for i, controls in enumerate(streams.motion(25)):
            writer.write_frame(512 * i, controls, None if i in missing else track[i])
    steps = streams.header().placement_steps
    for frame in streams.read(file.getvalue()):
        if frame.index in missing:
            assert frame.placement is None
        else:
            assert np.all(np.abs(frame.placement - track[frame.index]) <= steps * 0.5001)


def test_a_stream_without_placement():
    data = streams.write(12, place=False)
    assert all(frame.placement is None for frame in streams.read(data))
    # Twelve flags, coded as one long surprise at most.
    assert streams.read(data).rate_split().placement_bytes <= 4


def test_audio_comes_back_untouched():
    audio = streams.packets(50)
    stream = streams.read(streams.write(20, audio=audio))
    assert stream.audio == streams.AUDIO
    assert list(stream.audio_packets()) == audio
    # And in the order of the file, next to the frames.
    items = list(stream.items())
    assert [item for item in items if isinstance(item, AudioPacket)] == audio
    assert sum(isinstance(item, FrameRecord) for item in items) == 20


def test_tuning_comes_back_in_parts():
    tuning = bytes(np.random.default_rng(0).integers(0, 256, 2_500_000, dtype=np.uint8))
    assert streams.read(streams.write(2, tuning=tuning)).tuning == tuning
    assert streams.read(streams.write(2)).tuning is None


def test_metadata_and_header_come_back():
    head = streams.header(metadata={"source": "talk.mp4", "naïve": "ünicode"}, quality=77)
    got = streams.read(streams.write(1, head=head)).header
    assert got.metadata == head.metadata
    assert got.quality == 77
    assert (got.generator_sha256, got.rig_sha256) == (head.generator_sha256, head.rig_sha256)
    assert got.pack() == head.pack()


@pytest.mark.parametrize("count", [1, 2, 35, 64])
def test_any_number_of_controls(count):
    head = streams.header(control_steps=control_steps(np.full(count, 0.1)))
    controls = streams.motion(12, count)
    got = controls_of(streams.write(12, head=head, controls=controls))
    assert np.all(np.abs(got - controls) <= head.control_steps * 0.5001)


def test_pipes_both_ways():
    pipe = streams.Pipe()
    streams.write(37, out=pipe, audio=streams.packets(60))
    data = bytes(pipe.written)
    assert data == streams.write(37, audio=streams.packets(60))
    piped = list(StreamReader(streams.Pipe(data), "pipe").items())
    seekable = list(streams.read(data).items())
    assert len(piped) == len(seekable)
    for a, b in zip(piped, seekable, strict=True):
        assert type(a) is type(b)
        if isinstance(a, FrameRecord):
            assert (a.index, a.pts) == (b.index, b.pts)
            assert np.array_equal(a.controls, b.controls)
        else:
            assert a == b


def test_a_pipe_is_read_once():
    stream = StreamReader(streams.Pipe(streams.write(3)), "pipe")
    assert len(list(stream)) == 3
    with pytest.raises(UsageError):
        list(stream)


def test_an_unfinished_stream_is_readable_up_to_its_last_segment():
    file = io.BytesIO()
    writer = StreamWriter(file, streams.header(), 10)
    writer.write_identity(streams.latent(), streams.W_MEAN)
    for i, controls in enumerate(streams.motion(25)):
        writer.write_frame(512 * i, controls)
    # No close: as when the encoder was killed.
    stream = streams.read(file.getvalue())
    assert [frame.index for frame in stream] == list(range(20))
    assert "without its end" in str(stream.damage[0])


@pytest.mark.parametrize("with_index", [True, False])
def test_seeking_gives_the_same_frames(with_index):
    data = streams.write(95, audio=streams.packets(190))
    if not with_index:
        data = data[: damage.start(data, b"EN")]
    stream = streams.read(data)
    whole = list(stream)
    for start, end in ((0, 95), (13, 14), (50, 73), (9, 10), (94, 95), (10, 90)):
        got = list(stream.frames(Fraction(start, 25), Fraction(end, 25)))
        assert [frame.index for frame in got] == list(range(start, end))
        for frame in got:
            assert np.array_equal(frame.controls, whole[frame.index].controls)


def test_a_stream_inside_another_file():
    data = b"preface" + streams.write(30)
    file = io.BytesIO(data)
    file.seek(7)
    stream = StreamReader(file, "inside")
    assert len(list(stream)) == 30
    assert len(list(stream.frames(Fraction(20, 25)))) == 10
    assert stream.rate_split().total_bytes == len(data) - 7


def test_rate_split_counts_every_byte_once():
    data = streams.write(33, audio=streams.packets(70), tuning=bytes(1000))
    split = streams.read(data).rate_split()
    assert split.total_bytes == len(data)
    assert split.frames == 33
    assert split.tuning_bytes == 1002
    assert split.audio_bytes > sum(len(packet.data) for packet in streams.packets(70))
    assert min(split.identity_bytes, split.controls_bytes, split.placement_bytes) > 0
    # A damaged file still adds up.
    broken = bytearray(data)
    broken[len(data) // 2] ^= 4
    assert streams.read(bytes(broken)).rate_split().total_bytes == len(data)


def test_writer_refuses_misuse():
    def fresh() -> StreamWriter:
        return StreamWriter(io.BytesIO(), streams.header(), 10)

    with pytest.raises(UsageError, match="identity"):
        fresh().write_frame(0, np.zeros(35, np.float32))
    writer = fresh()
    writer.write_identity(streams.latent(), streams.W_MEAN)
    with pytest.raises(UsageError, match="one identity"):
        writer.write_identity(streams.latent(), streams.W_MEAN)
    with pytest.raises(UsageError, match="finite"):
        writer.write_frame(0, np.full(35, np.nan, np.float32))
    writer.write_frame(5, np.zeros(35, np.float32))
    with pytest.raises(UsageError, match="rise"):
        writer.write_frame(5, np.zeros(35, np.float32))
    with pytest.raises(UsageError, match="before the first frame"):
        writer.set_audio(streams.AUDIO)
    with pytest.raises(UsageError, match="set_audio"):
        writer.write_audio(streams.packets(1)[0])
    writer.close()
    with pytest.raises(UsageError, match="closed"):
        writer.write_frame(9, np.zeros(35, np.float32))
        writer._flush()


def test_a_value_beyond_its_quantiser_is_refused():
    controls = streams.motion(3)
    controls[1, 0] = 1e9
    with pytest.raises(UsageError):
        streams.write(3, controls=controls)


def test_the_same_input_gives_the_same_bytes():
    assert streams.write(40, audio=streams.packets(80)) == streams.write(
        40, audio=streams.packets(80)
    )


def test_not_a_stream():
    for data in (b"", b"\x89FC", b"RIFF....WAVE", b"\x89PNG\r\n\x1a\n" + bytes(100)):
        with pytest.raises(StreamError, match=r"not a \.fcv stream"):
            streams.read(data)


def test_controls_cost_less_than_exp_golomb():
    """The plain code for small integers, the best order for the clip, every frame on its own."""
    controls = streams.motion(240)
    data = streams.write(240, controls=controls, segment_frames=60)
    levels = np.round(controls / streams.header().control_steps).astype(int)
    changes = np.diff(levels, axis=0, prepend=0)
    numbers = np.where(changes > 0, 2 * changes - 1, -2 * changes)
    plain = min(
        int(np.ceil((2 * np.floor(np.log2((numbers >> k) + 1)) + 1 + k).sum(1) / 8).sum())
        for k in range(5)
    )
    assert streams.read(data).rate_split().controls_bytes < 0.85 * plain


def test_a_stream_without_a_frame_is_not_closed():
    writer = StreamWriter(io.BytesIO(), streams.header())
    writer.write_identity(streams.latent(), streams.W_MEAN)
    with pytest.raises(UsageError, match="at least one frame"):
        writer.close()
