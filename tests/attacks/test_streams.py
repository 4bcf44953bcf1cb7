"""Hostile streams: each with the refusal, or the report, it must get, in little time and memory."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc

import numpy as np
import pytest
import toy_streams
from damage import join, read_all, split

from facecodec.bitstream import (
    IdentityFile,
    StreamReader,
    StreamWriter,
    limits,
    pack_identity,
    read_identity,
)
from facecodec.bitstream.fields import FieldWriter
from facecodec.bitstream.rangecoder import RangeEncoder
from facecodec.bitstream.segment import CONTROLS, INITIAL
from facecodec.errors import StreamError

GOOD = toy_streams.write(12, audio=toy_streams.packets(20), tuning=b"t", segment_frames=5)
CHUNKS = split(GOOD)


@pytest.fixture(autouse=True)
def in_little_time():
    """No attack may take over five seconds of computing."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 5


@pytest.fixture
def in_little_memory():
    """This one may not take over 16 MiB either."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def with_payload(kind: bytes, payload: bytes, data_chunks=CHUNKS) -> bytes:
    """Return the good stream with the first chunk of a kind saying something else."""
    chunks = list(data_chunks)
    place = [name for name, _ in chunks].index(kind)
    chunks[place] = (kind, payload)
    return join(chunks)


def payload(kind: bytes) -> bytes:
    return next(data for name, data in CHUNKS if name == kind)


def patched(kind: bytes, offset: int, value: bytes) -> bytes:
    """Return the good stream with bytes of a payload replaced and all CRCs right."""
    data = payload(kind)
    return with_payload(kind, data[:offset] + value + data[offset + len(value) :])


def report(data: bytes) -> str:
    """Read a stream that is not refused, and return what it reports."""
    return "; ".join(map(str, read_all(data).damage))


# (offset in HEAD, bytes, what the refusal says)
HEADERS = [
    (0, b"\0", "version 0"),
    (0, b"\2", "version 2"),
    (1, b"\3", "precision is 3"),
    (2, b"\x65", "quality is 101"),
    (3, b"\0", "number of controls is 0"),
    (3, b"\x41", "number of controls is 65"),
    (3, b"\x40", "stream header"),  # more steps than there are: what follows slides out of place
    (4, b"\0", "number of W"),
    (4, b"\x41", "number of W"),
    (5, b"\0\0", "width of W"),
    (5, b"\x01\x04", "width of W"),
    (7, b"\3\0", "resolution is 3"),
    (7, b"\xff\xff", "resolution is 65535"),
    (9, b"\0\0", "width is 0"),
    (11, b"\0\0", "height is 0"),
    (13, bytes(8), "time base is missing"),
    (13, bytes(4), "not a positive fraction"),
    (17, bytes(4), "not a positive fraction"),
    (21, b"\0\0\0\0\1\0\0\0", "not a positive fraction"),
]


@pytest.mark.parametrize(("offset", "value", "message"), HEADERS)
def test_headers(offset, value, message):
    with pytest.raises(StreamError, match=message):
        StreamReader(io.BytesIO(patched(b"HEAD", offset, value)))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (payload(b"HEAD")[:-1], "ends before its fields"),
        (payload(b"HEAD") + b"\0", "1 bytes after its last field"),
        (payload(b"HEAD")[:-6] + b"\5\xff\xff\xff\xff\xff", "not UTF-8"),
        (b"", "ends before"),
        (bytes(1025), "header is damaged"),
    ],
)
def test_header_payloads(head, message):
    with pytest.raises(StreamError, match=message):
        StreamReader(io.BytesIO(with_payload(b"HEAD", head)))


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, limits.MAX_CHUNK + 1])
@pytest.mark.parametrize("kind", [b"SEGM", b"IDEN", b"AUDI", b"DONE", b"wide", b"HEAD"])
def test_lengths_that_lie(kind, length, in_little_memory):
    at = GOOD.index(b"SEGM")
    bomb = kind + struct.pack("<I", length)
    assert "byte" in report(GOOD[:at] + bomb + GOOD[at:])
    with pytest.raises(StreamError, match="header is damaged"):
        read_all(GOOD[:8] + bomb + GOOD[8:])


def test_a_segment_over_its_own_limit():
    data = with_payload(b"SEGM", payload(b"SEGM") + bytes(limits.MAX_SEGMENT))
    assert "no whole chunk" in report(data)


def segment(first: int = 0, frames: int = 5, pts: int = 0, rest: bytes = b"") -> bytes:
    return bytes(FieldWriter().varint(first).varint(frames).signed(pts).raw(rest).data)


BODY = payload(b"SEGM")[3:]


@pytest.mark.parametrize(
    ("hostile", "message"),
    [
        (segment(frames=0, rest=BODY), "number of frames is 0"),
        (segment(frames=241, rest=BODY), "number of frames is 241"),
        (segment(frames=1 << 62, rest=BODY), "number of frames"),
        (segment(first=(1 << 48) + 1, rest=BODY), "first frame"),
        (segment(pts=(1 << 48) + 1, rest=BODY), "timestamp"),
        (segment(rest=BODY + bytes(5)), "bytes after its last frame"),
        (segment(rest=BODY + b"\xff" * 60000), "bytes after its last frame"),
        (b"\x80" * 10, "varint of more than nine"),
        (b"\x80\0" + segment(), "longer than it need"),
        (b"", "ends before"),
        (b"\0", "ends before"),
        (segment(pts=1 << 48, rest=BODY), "timestamps"),
    ],
)
def test_segments(hostile, message, in_little_memory):
    assert message in report(with_payload(b"SEGM", hostile))


def test_random_bodies_end():
    for seed in range(12):
        body = np.random.default_rng(seed).bytes(seed * 7)
        read_all(with_payload(b"SEGM", segment(frames=240, rest=body)))


def coded(bits) -> bytes:
    encoder = RangeEncoder(INITIAL)
    bits(encoder)
    return encoder.finish()


def test_a_level_out_of_range():
    def bits(coder):
        coder.bit(18, 0)
        coder.bit(20, 0)
        coder.bit(23, 0)
        coder.bit(CONTROLS, 1)
        coder.bit(CONTROLS + 1, 0)
        for step in range(14):
            coder.bit(CONTROLS + 2 + step, 1)
        for _ in range(40):
            coder.even(0)
        for _ in range(41):
            coder.even(1)

    body = coded(bits)
    assert "out of range" in report(with_payload(b"SEGM", segment(frames=1, rest=body)))


def test_a_number_without_end():
    def bits(coder):
        coder.bit(18, 0)
        coder.bit(20, 0)
        coder.bit(23, 0)
        coder.bit(CONTROLS, 1)
        coder.bit(CONTROLS + 1, 0)
        for step in range(14):
            coder.bit(CONTROLS + 2 + step, 1)
        for _ in range(100):
            coder.even(0)

    body = coded(bits)
    assert "48 bits" in report(with_payload(b"SEGM", segment(frames=1, rest=body)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_controls_that_are_no_numbers(value):
    data = toy_streams.write(3, head=toy_streams.header(precision="f32"))
    chunks = split(data)
    place = [name for name, _ in chunks].index(b"SEGM")
    body = bytearray(chunks[place][1])
    body[3:7] = struct.pack("<f", value)
    chunks[place] = (b"SEGM", bytes(body))
    assert "not a finite number" in report(join(chunks))


def test_frames_out_of_nothing(in_little_memory):
    """A segment that says it is the 2^40th must not make a reader count there."""
    for first in (5, 1000, 1 << 40):
        with pytest.raises(StreamError, match="missing where nothing was lost"):
            read_all(with_payload(b"SEGM", segment(first=first, rest=BODY)))
    # Not even beside some damage.
    hurt = with_payload(b"SEGM", segment(first=1 << 40, rest=BODY))
    at = hurt.index(b"SEGM")
    with pytest.raises(StreamError, match="frames are missing"):
        read_all(hurt[:at] + bytes(200) + hurt[at:])


def test_an_end_that_counts_frames_out_of_nothing():
    end = bytes(FieldWriter().varint(1 << 40).varint(0).integer(2 + 5 + 4 + 12, 4).data)
    with pytest.raises(StreamError, match=r"missing|after its last|its size"):
        chunks = [*CHUNKS[:-1], (b"DONE", end[:-4] + struct.pack("<I", len(end) + 12))]
        read_all(join(chunks))


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"\x0c\xff\xff\xff\x7f",
        bytes(FieldWriter().varint(12).varint(1 << 40).data),
        bytes(FieldWriter().varint(12).varint(1).varint(1 << 62).varint(0).varint(5).data)
        + bytes(9),
        payload(b"DONE")[:-4] + b"\xff\xff\xff\xff",
    ],
)
def test_indices_that_lie(end, in_little_memory):
    data = with_payload(b"DONE", end)
    stream = StreamReader(io.BytesIO(data))
    assert len(stream.index().entries) == 3  # by a scan
    assert "end chunk" in report(data)
    assert len(list(stream.frames(toy_streams.Fraction(6, 25)))) == 6


def test_an_index_of_wrong_places_gives_no_wrong_frames():
    for offset in (0, 3, 200, 1 << 20, 1 << 47):
        out = FieldWriter().varint(12).varint(1)
        out.varint(offset).varint(5).varint(5).signed(5 * 512)
        data = with_payload(b"DONE", bytes(out.integer(len(out.data) + 16, 4).data))
        stream = StreamReader(io.BytesIO(data))
        whole = {frame.index: frame for frame in StreamReader(io.BytesIO(GOOD))}
        try:
            for frame in stream.frames(toy_streams.Fraction(6, 25)):
                assert np.array_equal(frame.controls, whole[frame.index].controls)
        except StreamError:
            pass


def test_identities():
    exact = b"\1" + struct.pack("<32f", *range(31), float("inf"))
    mean = toy_streams.W_MEAN
    for hostile, message in (
        (b"", "ends before"),
        (b"\2", "identity coding is 2"),
        (b"\0\1\1", "ends before"),
        (exact[:-1], "ends before"),
        (exact, "not finite"),
        (exact + b"\0", "after its last field"),
        (payload(b"IDEN") + bytes(5), "after its last value"),
        (b"\0\0\0\0\0" + bytes(5000), "after its last value"),
    ):
        stream = StreamReader(io.BytesIO(with_payload(b"IDEN", hostile)))
        with pytest.raises(StreamError, match=message):
            stream.identity(mean)
    one = (b"IDEN", payload(b"IDEN"))
    for extra in (one, (b"IDRF", bytes(32))):
        with pytest.raises(StreamError, match="more than one identity"):
            read_all(join([CHUNKS[0], one, extra, *CHUNKS[2:]]))
    with pytest.raises(StreamError, match="no SHA-256"):
        read_all(join([CHUNKS[0], (b"IDRF", bytes(31)), *CHUNKS[2:]]))


def test_chunks_out_of_place():
    for kind in (b"HEAD", b"IDEN", b"AUDP", b"TUNE"):
        chunks = [*CHUNKS[:-1], (kind, payload(kind)), CHUNKS[-1]]
        with pytest.raises(StreamError, match=f"critical chunk {kind.decode()} .* out of place"):
            read_all(join(chunks))
    with pytest.raises(StreamError, match="AUDP .* out of place"):
        read_all(join([CHUNKS[0], (b"AUDP", payload(b"AUDP")), *CHUNKS[1:]]))


def test_tunings():
    def tuned(*parts: bytes) -> bytes:
        chunks = [chunk for chunk in CHUNKS if chunk[0] != b"TUNE"]
        return join([*chunks[:2], *((b"TUNE", part) for part in parts), *chunks[2:]])

    for parts, message in (
        ([b"\0\0"], "number of parts"),
        ([b"\5\3"], "number of parts"),
        ([b"\0\x81\2"], "number of parts is 257"),
        ([b"\x80\2\x81\2"], "part is 256"),
        ([b"\0\2a", b"\0\2a"], "comes twice"),
        ([b"\0\2a", b"\1\3b"], "3 parts here, 2 before"),
    ):
        with pytest.raises(StreamError, match=message):
            read_all(tuned(*parts))
    data = tuned(b"\0\2a")
    assert StreamReader(io.BytesIO(data)).tuning is None
    assert "part of the tuning is missing" in report(data)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (b"", "ends before"),
        (b"\3aac\0\2" + struct.pack("<II", 1, 1), "sample rate is 0"),
        (b"\3aac\1\0" + struct.pack("<II", 1, 1), "number of channels is 0"),
        (b"\3aac\1\2" + bytes(8), "time base is missing"),
        (b"\3aac\1\2" + struct.pack("<II", 1, 1) + bytes(limits.MAX_EXTRADATA + 1), "extradata"),
    ],
)
def test_audio_parameters(parameters, message):
    with pytest.raises(StreamError, match=message):
        read_all(with_payload(b"AUDP", parameters))


def audio(*fields: int, rest: bytes = b"") -> bytes:
    out = FieldWriter()
    for value in fields:
        out.varint(value)
    return bytes(out.raw(rest).data)


@pytest.mark.parametrize(
    ("hostile", "message"),
    [
        (audio(0, 1 << 40), "number of packets"),
        (audio(0, 1, 0, 0, 0, limits.MAX_AUDIO_PACKET + 1), "audio packet size"),
        (audio(0, 1, 0, 0, 0, 5000), "ends before"),
        (audio(0, 1, 0, 0, 1 << 49, 0), "audio duration"),
        (audio(0, 1, 1 << 50, 0, 0, 0), "audio timestamp"),
        (audio(0, 2, 1 << 49, 0, 1 << 48, 0, 1 << 49, 0, 0, 0), "out of range"),
        (audio(0, 1, 0, 0, 0, 0, rest=b"x"), "after its last field"),
        (audio(1 << 49, 0), "first packet"),
        (audio(7, 0), "7 audio packets before it are missing"),
    ],
)
def test_audio_chunks(hostile, message, in_little_memory):
    assert message in report(with_payload(b"AUDI", hostile))


def test_a_repeated_audio_chunk_is_reported():
    place = [name for name, _ in CHUNKS].index(b"AUDI")
    data = join([*CHUNKS[:place], CHUNKS[place], *CHUNKS[place:]])
    assert "goes back in time" in report(data)
    assert read_all(data).audio == read_all(GOOD).audio


def test_metadata():
    for hostile, message in (
        (b"\3ab", "ends before"),
        (b"\1a", "ends before"),
        (b"\1\xff\0", "UTF-8"),
    ):
        with pytest.raises(StreamError, match=message):
            read_all(join([CHUNKS[0], (b"meta", hostile), *CHUNKS[1:]]))
    data = join([CHUNKS[0], (b"meta", b"\1a\1b" * 5000), *CHUNKS[1:]])
    assert "no whole chunk" in report(data)


@pytest.mark.parametrize(
    "pattern",
    [
        b"SEGM",
        b"SEGM\xff\xff\0\0",
        b"IDEN\0\0\x0f\0",
        b"meta\0\0\0\0",
        b"DONE\4\0\0\0",
        b"\0",
        b"SEGMIDEN\1",
    ],
)
def test_a_megabyte_of_what_looks_like_chunks(pattern):
    """Bytes that begin a chunk everywhere: the search after damage must not turn quadratic."""
    at = GOOD.index(b"SEGM")
    junk = pattern * ((1 << 20) // len(pattern))
    for data in (GOOD[:at] + junk, GOOD[:at] + junk + GOOD[at:]):
        try:
            assert read_all(data).damage
        except StreamError as error:
            assert "too damaged" in str(error)  # noqa: PT017


def test_many_still_frames_are_decoded_in_constant_memory(in_little_memory):
    """240 frames in 16 bytes is what the format can do; a reader must not hold them all."""
    file = io.BytesIO()
    with StreamWriter(file, toy_streams.header(num_controls=1, control_steps=[1.0]), 240) as writer:
        writer.write_identity(toy_streams.latent(), toy_streams.W_MEAN)
        for i in range(2400):
            writer.write_frame(512 * i, np.zeros(1, np.float32))
    size = len(file.getvalue())
    assert 15 * size > 2400
    file.seek(0)
    assert sum(1 for _ in StreamReader(file)) == 2400


def test_magic_alone_and_magics_of_others():
    for data in (
        GOOD[:8],
        b"\x89FCI\r\n\x1a\n" + GOOD[8:],
        GOOD[:8].replace(b"\r\n", b"\n") + GOOD[8:],
    ):
        with pytest.raises(StreamError):
            read_all(data)


# .fci files


def person(**changes) -> bytes:
    fields = {
        "generator_name": "toy",
        "generator_sha256": bytes(32),
        "num_ws": 4,
        "w_dim": 8,
        "creator": "",
        "payload": pack_identity(toy_streams.latent(), toy_streams.W_MEAN),
        "tuning": b"t",
    }
    return IdentityFile(**(fields | changes)).pack()


def read_person(data: bytes) -> IdentityFile:
    return read_identity(io.BytesIO(data), "who.fci")


def test_identity_files(in_little_memory):
    good = person()
    assert read_person(good).tuning == b"t"
    magic = good[:8]
    head, iden, tune = split(good)
    for data, message in (
        (b"", "not a .fci"),
        (GOOD, "not a .fci"),
        (good[:8], "ends before"),
        (good[:-1], "damaged"),
        (good + b"x", "damaged"),
        (good[:8] + b"HEAD\xff\xff\xff\xff", "damaged"),
        (join([iden, head], magic), "does not begin with its header"),
        (join([head, tune], magic), "ends before"),
        (join([head, iden, iden], magic), "unexpected critical chunk IDEN"),
        (join([head, head, iden], magic), "unexpected critical chunk HEAD"),
        (join([head, iden, (b"SEGM", b"")], magic), "unexpected critical chunk SEGM"),
        (join([head, iden, (b"TUNE", b"\0\2x")], magic), "ends before"),
        (join([(b"HEAD", b"\2" + head[1][1:]), iden], magic), "version 2"),
        (join([(b"HEAD", b"\1\x41" + head[1][2:]), iden], magic), "rows"),
        (join([(b"HEAD", head[1] + b"x"), iden], magic), "after its last field"),
    ):
        with pytest.raises(StreamError, match=message):
            read_person(data)
    read_person(join([head, (b"note", b"skip me"), iden], magic))
    with pytest.raises(StreamError, match="ends before"):
        read_person(join([head, (b"IDEN", b"\0")], magic)).w_plus(toy_streams.W_MEAN)
