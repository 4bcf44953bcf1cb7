"""Round trips of whatever hypothesis thinks of."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facecodec.bitstream import AudioPacket, StreamReader, StreamWriter
from facecodec.bitstream.coding.binarise import code_exp_golomb, code_signed
from facecodec.bitstream.coding.identity import CONTEXTS as PEOPLE
from facecodec.bitstream.coding.identity import pack_identity, parse_identity
from facecodec.bitstream.coding.range_coder import RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.steps import ALL_STEPS, from_levels, step_codes, to_levels
from facecodec.bitstream.coding.tracks import CONTEXTS as TRACK
from facecodec.bitstream.coding.tracks import code_track
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.bitstream.limits import MAX_LEVEL, MAX_VARINT
from tests.helpers import toy_streams

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEVELS = st.one_of(
    st.integers(-2, 2),
    st.integers(-40, 40),
    st.integers(-MAX_LEVEL, MAX_LEVEL),
    st.sampled_from([MAX_LEVEL, -MAX_LEVEL]),
)


@few
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 1)), max_size=400))
def test_range_coder(decisions):
    start = [(2 * b + 1) << 7 for b in (0, 1, 30, 100, 127, 128, 200, 250, 254, 255)]
    encoder = RangeEncoder(start)
    for a, b, bit in decisions:
        if a < b:
            encoder.pair(a, b, bit)
        elif a == b:
            encoder.even(bit)
        else:
            encoder.bit(a, bit)
    data = encoder.finish()
    decoder = RangeDecoder(data, start)
    for a, b, bit in decisions:
        got = decoder.pair(a, b) if a < b else decoder.even() if a == b else decoder.bit(a)
        assert got == bit
    assert decoder.position >= len(data)
    assert not data.endswith(b"\0")


@few
@given(st.lists(st.integers(-(2**47), 2**47), max_size=30))
def test_integers(values):
    encoder = RangeEncoder([32768] * 16)
    for value in values:
        code_signed(encoder, 0, value)
        code_exp_golomb(encoder, abs(value))
    decoder = RangeDecoder(encoder.finish(), [32768] * 16)
    for value in values:
        assert code_signed(decoder, 0, 0) == value
        assert code_exp_golomb(decoder, 0) == abs(value)


@few
@given(st.integers(1, 6), st.data())
def test_tracks(width, data):
    rows = data.draw(st.lists(st.lists(LEVELS, min_size=width, max_size=width), max_size=12))
    levels = np.array(rows, np.int64).reshape(len(rows), width)
    encoder = RangeEncoder([32768] * TRACK)
    code_track(encoder, 0, width, len(levels), levels)
    body = encoder.finish()
    decoder = RangeDecoder(body, [32768] * TRACK)
    assert np.array_equal(code_track(decoder, 0, width, len(levels), None), levels)
    assert decoder.position >= len(body)


@few
@given(st.lists(st.integers(0, MAX_VARINT)), st.lists(st.integers(-(2**62) + 1, 2**62 - 1)))
def test_fields(plain, signed):
    out = FieldWriter()
    for value in plain:
        out.varint(value)
    for value in signed:
        out.signed(value)
    fields = FieldReader(bytes(out.data), "test")
    assert [fields.varint() for _ in plain] == plain
    assert [fields.signed(2**62) for _ in signed] == signed
    fields.end()


@few
@given(st.integers(0, 255), st.lists(LEVELS, min_size=1))
def test_quantiser_is_exact_on_its_own_values(code, levels):
    step = ALL_STEPS[code : code + 1]
    assert step_codes(step) == bytes([code])
    values = from_levels(np.array(levels), step)
    assert np.array_equal(to_levels(values, step), levels)
    assert np.array_equal(values.astype(np.float64), np.array(levels) * float(step[0]))
    # Halves go away from zero, so that the sign does not matter.
    halves = (np.array(levels) + 0.5) * float(step[0])
    inside = np.abs(levels) < MAX_LEVEL
    there, back = to_levels(halves[inside], step), to_levels(-halves[inside], step)
    assert np.array_equal(there, -back)


@few
@given(st.integers(1, 5), st.integers(1, 9), st.data())
def test_identity(rows, width, data):
    number = st.floats(-4, 4, width=32)
    values = data.draw(st.lists(number, min_size=rows * width, max_size=rows * width))
    mean = np.array(data.draw(st.lists(number, min_size=width, max_size=width)), np.float32)
    latent = np.array(values, np.float32).reshape(rows, width)
    exact = parse_identity(pack_identity(latent, mean, None), rows, width, mean)
    assert exact.tobytes() == latent.tobytes()
    close = parse_identity(pack_identity(latent, mean, 0.05), rows, width, mean)
    assert np.max(np.abs(close - latent)) <= 0.05 / 2 * 1.04
    assert PEOPLE == 168


@st.composite
def clips(draw):
    """Everything a writer may be told, kept small."""
    frames = draw(st.integers(1, 9))
    steps = draw(st.lists(st.integers(1, 3000), min_size=frames, max_size=frames))
    return {
        "precision": draw(st.sampled_from(["quantised", "f16", "f32"])),
        "rate": draw(st.sampled_from([None, Fraction(25), Fraction(24000, 1001)])),
        "segment": draw(st.integers(1, 5)),
        "pts": (draw(st.integers(-(2**40), 2**40)) + np.cumsum(steps)).tolist(),
        "controls": np.array(
            draw(
                st.lists(
                    st.lists(st.floats(-60, 60, width=16), min_size=3, max_size=3),
                    min_size=frames,
                    max_size=frames,
                )
            ),
            np.float32,
        ),
        "placed": draw(st.lists(st.booleans(), min_size=frames, max_size=frames)),
        "flags": draw(st.lists(st.integers(0, 3), min_size=frames, max_size=frames)),
        "audio": draw(
            st.lists(
                st.tuples(
                    st.integers(-(2**40), 2**40), st.integers(0, 5000), st.binary(max_size=9)
                ),
                max_size=6,
            )
        ),
        "tuning": draw(st.binary(max_size=30)),
        "metadata": draw(st.dictionaries(st.text(max_size=9), st.text(max_size=30), max_size=3)),
    }


@few
@given(clips())
def test_whole_streams(clip):
    head = toy_streams.header(
        precision=clip["precision"],
        frame_rate=clip["rate"],
        control_steps=np.array([0.03, 0.25, 1.0], np.float32),
        metadata=clip["metadata"],
    )
    file = io.BytesIO()
    audio = [AudioPacket(p + 1, p, n, data) for p, n, data in clip["audio"]]
    with StreamWriter(file, head, clip["segment"]) as writer:
        writer.write_identity(toy_streams.latent(), toy_streams.W_MEAN)
        writer.set_audio(toy_streams.AUDIO)
        writer.write_tuning(clip["tuning"])
        for i, pts in enumerate(clip["pts"]):
            place = np.array([i, -2 * i, 3, 0.1]) if clip["placed"][i] else None
            writer.write_frame(pts, clip["controls"][i], place, clip["flags"][i])
        for packet in audio:
            writer.write_audio(packet)
    stream = toy_streams.read(file.getvalue())
    frames = list(stream)
    assert [frame.pts for frame in frames] == clip["pts"]
    assert [int(frame.flags) for frame in frames] == clip["flags"]
    assert [frame.placement is not None for frame in frames] == clip["placed"]
    for frame, controls in zip(frames, clip["controls"], strict=True):
        if clip["precision"] == "quantised":
            assert np.all(np.abs(frame.controls - controls) <= head.control_steps * 0.5001)
        else:
            assert frame.controls.tobytes() == controls.tobytes()
    assert list(stream.audio_packets()) == audio
    assert (stream.tuning or b"") == clip["tuning"]
    assert stream.header.metadata == clip["metadata"]
    assert not stream.damage
    piped = StreamReader(toy_streams.Pipe(file.getvalue()), "pipe")
    assert [frame.pts for frame in piped] == clip["pts"]
