"""Hostile streams: each with the refusal, or the report, it must get, in little time and memory."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc

import numpy as np
import pytest

from facecodec.bitstream import (
    IdentityFile,
    StreamReader,
    StreamWriter,
    limits,
    pack_identity,
    read_identity,
)
from facecodec.bitstream.coding.range_coder import RangeEncoder
from facecodec.bitstream.coding.segment import CONTROLS, INITIAL
from facecodec.bitstream.coding.tuning import check_tuning
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import StreamError
from tests.helpers import toy_streams
from tests.helpers.damage import MAGIC, join, places, read_all, split, start

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


def patched(kind: bytes, offset: int, size: int, value: bytes) -> bytes:
    """Return the good stream with bytes of a payload replaced and all CRCs right."""
    data = payload(kind)
    return with_payload(kind, data[:offset] + value + data[offset + size :])


def report(data: bytes) -> str:
    """Read a stream that is not refused, and return what it reports."""
    return "; ".join(map(str, read_all(data).damage))


# (offset in the header, bytes to replace, by what, what the refusal says)
HEADERS = [
    (0, 1, b"\0", "version 0"),
    (0, 1, b"\3", "version 3"),
    (0, 1, b"\x31", "precision is 3"),
    (0, 1, b"\x81", "a form of 8"),
    (1, 1, b"\x65", "quality is 101"),
    (2, 1, b"\3", "shape is 3"),
    (3, 1, b"\0", "number of controls is 0"),
    (3, 1, b"\x41", "number of controls is 65"),
    (4, 1, b"\0", "number of W"),
    (4, 1, b"\x41", "number of W"),
    (5, 1, b"\0", "width of W"),
    (5, 1, b"\x81\x08", "width of W"),
    (6, 2, b"\3", "resolution is 3"),
    (6, 2, b"\xff\x7f", "resolution is 16383"),
    (6, 2, b"\x83\0", "longer than it need be"),
    (8, 2, b"\0", "width is 0"),
    (8, 2, b"\x80\x80\4", "width is 65536"),
    (10, 2, b"\0", "height is 0"),
    (12, 3, b"\0\0", "time base is missing"),
    (12, 1, b"\0", "not a positive fraction"),
    (13, 2, b"\0", "not a positive fraction"),
    (13, 2, b"\x80\x80\x80\x80\x10", "denominator is 4294967296"),
    (15, 1, b"\0", "not a positive fraction"),
    (81, 4, b"\x8e", "a word this program does not know"),
    (81, 4, b"\xc0\xc0\xc0\xc0", "a word this program does not know"),
    (81, 4, b"\xff", "a word this program does not know"),
    (91, 1, b"\x41", "number of metadata is 65"),
    (91, 1, b"\1", "ends before its fields"),
    (92, 1, b"\0", "unit of the steps is 0"),
    (93, 1, b"\xff", "a step out of range"),
]


@pytest.mark.parametrize(("offset", "size", "value", "message"), HEADERS)
def test_headers(offset, size, value, message):
    with pytest.raises(StreamError, match=message):
        StreamReader(io.BytesIO(patched(MAGIC, offset, size, value)))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (payload(MAGIC)[:80], "ends before its fields"),
        (payload(MAGIC) + bytes(5), "bytes after its last field"),
        (payload(MAGIC)[:81] + b"\5\xff\xff\xff\xff\xff", "not UTF-8"),
        (b"", "ends before"),
        (bytes(limits.MAX_HEADER + 1), "header is damaged"),
    ],
)
def test_header_payloads(head, message):
    with pytest.raises(StreamError, match=message):
        StreamReader(io.BytesIO(with_payload(MAGIC, head)))


def test_metadata():
    for hostile, message in (
        (b"\1\3ab", "ends before"),
        (b"\1\1a", "ends before"),
        (b"\1\1\xff\0", "UTF-8"),
        (b"\x80\x80\x80\x80\x10", "number of metadata"),
    ):
        data = payload(MAGIC)[:91] + hostile
        with pytest.raises(StreamError, match=message):
            read_all(with_payload(MAGIC, data))


@pytest.mark.parametrize(
    "length",
    [b"\xff\xff\xff\xff\x0f", b"\xff\xff\x7f", b"\x81\x80\x40", b"\x80\x80\0", b"\x80" * 9],
)
@pytest.mark.parametrize("kind", [b"SE", b"ID", b"AU", b"EN", b"wi", MAGIC])
def test_lengths_that_lie(kind, length, in_little_memory):
    at = start(GOOD, b"SE")
    bomb = kind + length
    assert "byte" in report(GOOD[:at] + bomb + GOOD[at:])
    with pytest.raises(StreamError, match="header is damaged"):
        read_all(MAGIC + length + GOOD[5:])


def test_a_segment_over_its_own_limit():
    data = with_payload(b"SE", payload(b"SE") + bytes(limits.MAX_SEGMENT))
    assert "no whole chunk" in report(data)


USUAL = 125  # frames of a segment at 25 frames a second


def segment(first: int = 0, frames: int = 5, pts: int = 0, rest: bytes = b"") -> bytes:
    clock = 512 * first if 512 * first <= 1 << 48 else 0
    head = FieldWriter().varint(first).signed(frames - USUAL).signed(pts - clock)
    return bytes(head.raw(rest).data)


BODY = payload(b"SE")[4:]


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
    assert message in report(with_payload(b"SE", hostile))


def test_random_bodies_end():
    for seed in range(12):
        body = np.random.default_rng(seed).bytes(seed * 7)
        read_all(with_payload(b"SE", segment(frames=240, rest=body)))


def coded(bits) -> bytes:
    encoder = RangeEncoder(INITIAL)
    bits(encoder)
    return encoder.finish()


def begin_large_control(coder):
    """Code the first control of a frame up to where its magnitude goes on as Exp-Golomb."""
    coder.bit(18, 0)
    coder.bit(20, 0)
    coder.bit(23, 0)
    coder.bit(CONTROLS, 1)
    coder.bit(CONTROLS + 1, 0)
    for step in range(14):
        coder.bit(CONTROLS + 2 + step, 1)


def test_a_level_out_of_range():
    def bits(coder):
        begin_large_control(coder)
        for _ in range(40):
            coder.even(0)
        for _ in range(41):
            coder.even(1)

    body = coded(bits)
    assert "out of range" in report(with_payload(b"SE", segment(frames=1, rest=body)))


def test_a_number_without_end():
    def bits(coder):
        begin_large_control(coder)
        for _ in range(100):
            coder.even(0)

    body = coded(bits)
    assert "48 bits" in report(with_payload(b"SE", segment(frames=1, rest=body)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_controls_that_are_no_numbers(value):
    data = toy_streams.write(3, head=toy_streams.header(precision="f32"))
    chunks = split(data)
    place = [name for name, _ in chunks].index(b"SE")
    body = bytearray(chunks[place][1])
    body[4:8] = struct.pack("<f", value)
    chunks[place] = (b"SE", bytes(body))
    assert "not a finite number" in report(join(chunks))


def test_frames_out_of_nothing(in_little_memory):
    """A segment that says it is the 2^40th must not make a reader count there."""
    for first in (5, 1000, 1 << 40):
        with pytest.raises(StreamError, match="missing where nothing was lost"):
            read_all(with_payload(b"SE", segment(first=first, rest=BODY)))
    # Not even beside some damage.
    hurt = with_payload(b"SE", segment(first=1 << 40, rest=BODY))
    at = start(hurt, b"SE")
    with pytest.raises(StreamError, match="frames are missing"):
        read_all(hurt[:at] + bytes(200) + hurt[at:])


def count(frames: int) -> int:
    """Return the varint that says so many frames."""
    return 2 * (frames - USUAL) if frames >= USUAL else 2 * (USUAL - frames) - 1


def ending(*values: int) -> bytes:
    """Return the payload of an end chunk of these varints, its size right."""
    out = FieldWriter()
    for value in values:
        out.varint(value)
    body = len(out.data)
    sizes = [bytes(FieldWriter().varint(body + extra).data) for extra in range(8, 14)]
    wanted = [len(join([(b"EN", bytes(out.data) + size)])) for size in sizes]
    size = next(s for s, n in zip(sizes, wanted, strict=True) if FieldReader(s, "").varint() == n)
    return bytes(out.data) + size[::-1]


def test_an_end_that_counts_frames_out_of_nothing():
    for frames in (13, 240):
        sizes = [at for at, kind, _ in places(GOOD) if kind == b"AU"]
        end = ending(1 + 2 * (start(GOOD, b"EN") - sizes[0]), count(frames), 0)
        with pytest.raises(StreamError, match="missing where nothing was lost"):
            read_all(join([*CHUNKS[:-1], (b"EN", end)]))


END = payload(b"EN")


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"\x0c\xff\xff\xff\x7f",
        END[:-1] + b"\xff",
        END[:-1] + bytes([END[-1] + 1]),
        END[:-1] + b"\0" + END[-1:],
        ending(*END[:-1]) + END[-1:],
        ending(41, count(0), 0),
        ending(41, count(241), 0),
        ending(41, count(5), 1 << 52),
        ending(41, count(5)),
        ending(1 + 2 * (1 << 47), count(5), 0),
        ending(1 + 2 * (1 << 47), count(5), 0, *[2 * (1 << 47)] * 9),
    ],
)
def test_indices_that_lie(end, in_little_memory):
    data = with_payload(b"EN", end)
    stream = StreamReader(io.BytesIO(data))
    assert len(stream.index().entries) == 3  # by a scan
    assert "end chunk" in report(data)
    assert len(list(stream.frames(toy_streams.Fraction(6, 25)))) == 6


def test_a_long_index_of_little_entries(in_little_memory):
    """Each entry stands for ten bytes of the file at least, so a small file has few."""
    for entry in (2, 20):
        data = join([*CHUNKS[:-1], (b"EN", ending(21, count(1), 0, *[entry] * 200_000))])
        stream = StreamReader(io.BytesIO(data))
        assert len(stream.index().entries) == 3
        assert "end chunk" in report(data)
    data = with_payload(b"EN", ending(21, count(1), 0, *[20] * limits.MAX_INDEX))
    assert "no whole chunk" in report(data) or "ends within" in report(data)


def test_an_index_of_wrong_places_gives_no_wrong_frames():
    for size in (10, 23, 100, 250, len(GOOD) // 3):
        five = count(5), 0
        entries = (1 + 2 * size, *five, 2 * (size // 2), 1 + 2 * size, count(2), 0)
        data = with_payload(b"EN", ending(*entries))
        stream = StreamReader(io.BytesIO(data))
        whole = {frame.index: frame for frame in StreamReader(io.BytesIO(GOOD))}
        try:
            for frame in stream.frames(toy_streams.Fraction(6, 25)):
                same = np.array_equal(frame.controls, whole[frame.index].controls)
                assert same or (frame.recovered and stream.damage)
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
        (payload(b"ID") + bytes(5), "after its last value"),
        (b"\0\0\0\0\0" + bytes(5000), "after its last value"),
    ):
        stream = StreamReader(io.BytesIO(with_payload(b"ID", hostile)))
        with pytest.raises(StreamError, match=message):
            stream.identity(mean)
    one = (b"ID", payload(b"ID"))
    for extra in (one, (b"IR", bytes(32))):
        with pytest.raises(StreamError, match="more than one identity"):
            read_all(join([CHUNKS[0], one, extra, *CHUNKS[2:]]))
    with pytest.raises(StreamError, match="no SHA-256"):
        read_all(join([CHUNKS[0], (b"IR", bytes(31)), *CHUNKS[2:]]))


def test_chunks_out_of_place():
    for kind in (b"ID", b"AP", b"TU"):
        chunks = [*CHUNKS[:-1], (kind, payload(kind)), CHUNKS[-1]]
        with pytest.raises(StreamError, match=f"critical chunk {kind.decode()} .* out of place"):
            read_all(join(chunks))
    with pytest.raises(StreamError, match="AP .* out of place"):
        read_all(join([CHUNKS[0], (b"AP", payload(b"AP")), *CHUNKS[1:]]))


def test_tunings():
    def tuned(*parts: bytes) -> bytes:
        chunks = [chunk for chunk in CHUNKS if chunk[0] != b"TU"]
        return join([*chunks[:2], *((b"TU", part) for part in parts), *chunks[2:]])

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
    ("kind", "message"),
    [(b"TU", "the tuning is missing"), (b"AP", "the audio's parameters are missing")],
)
def test_a_whole_chunk_taken_out_is_reported(kind, message):
    """What is left has its CRCs right, and its index."""
    whole = toy_streams.write(
        12,
        head=toy_streams.header(metadata={"tune": "light"}),
        audio=toy_streams.packets(20),
        tuning=b"t",
    )
    assert not report(whole)
    assert report(join([chunk for chunk in split(whole) if chunk[0] != kind])).count(message) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (b"", "ends before"),
        (b"\3aac\0\2" + b"\1\1", "sample rate is 0"),
        (b"\3aac\1\0" + b"\1\1", "number of channels is 0"),
        (b"\3aac\1\2\0\0", "time base is missing"),
        (b"\3aac\1\2" + b"\1\1" + bytes(limits.MAX_EXTRADATA + 1), "extradata"),
    ],
)
def test_audio_parameters(parameters, message):
    with pytest.raises(StreamError, match=message):
        read_all(with_payload(b"AP", parameters))


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
    assert message in report(with_payload(b"AU", hostile))


def test_a_repeated_audio_chunk_is_reported():
    place = [name for name, _ in CHUNKS].index(b"AU")
    data = join([*CHUNKS[:place], CHUNKS[place], *CHUNKS[place:]])
    assert "goes back in time" in report(data)
    assert read_all(data).audio == read_all(GOOD).audio


@pytest.mark.parametrize(
    "pattern",
    [
        b"SE",
        b"SE\xff\xff\3",
        b"ID\x80\x80\x3c",
        b"AU\x80\x80\x40",
        b"AP\1",
        b"EN\4",
        b"\0",
        b"SEID\1",
    ],
)
def test_a_quarter_of_a_megabyte_of_what_looks_like_chunks(pattern):
    """Bytes that begin a chunk everywhere: the search after damage must not turn quadratic."""
    at = start(GOOD, b"SE")
    junk = pattern * ((1 << 18) // len(pattern))
    for data in (GOOD[:at] + junk, GOOD[:at] + junk + GOOD[at:]):
        try:
            assert read_all(data).damage
        except StreamError as error:
            assert "too damaged" in str(error)  # noqa: PT017


def test_many_still_frames_are_decoded_in_constant_memory(in_little_memory):
    """240 frames in a few bytes is what the format can do; a reader must not hold them all."""
    file = io.BytesIO()
    with StreamWriter(file, toy_streams.header(control_steps=[1.0]), 240) as writer:
        writer.write_identity(toy_streams.latent(), toy_streams.W_MEAN)
        for i in range(2400):
            writer.write_frame(512 * i, np.zeros(1, np.float32))
    size = len(file.getvalue())
    assert 24 * size > 2400
    file.seek(0)
    assert sum(1 for _ in StreamReader(file)) == 2400


def test_magic_alone_and_magics_of_others():
    for data in (
        GOOD[:4],
        b"\x89FCI" + GOOD[4:],
        b"\x09FCV" + GOOD[4:],
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
    head, iden, tune = split(good)
    magic = head[0]
    for data, message in (
        (b"", "not a .fci"),
        (GOOD, "not a .fci"),
        (magic, "header is damaged"),
        (good[:-1], "damaged"),
        (good + b"x", "damaged"),
        (magic + b"\xff\xff\xff\xff", "damaged"),
        (join([iden, head]), "not a .fci"),
        (join([head, tune]), "ends before"),
        (join([head, iden, iden]), "unexpected critical chunk ID"),
        (join([head, iden, (b"SE", b"")]), "unexpected critical chunk SE"),
        (join([head, iden, (b"TU", b"\0\2x")]), "ends before"),
        (join([(magic, b"\2" + head[1][1:]), iden]), "version 2"),
        (join([(magic, b"\1\x41" + head[1][2:]), iden]), "rows"),
        (join([(magic, head[1] + b"x"), iden]), "after its last field"),
    ):
        with pytest.raises(StreamError, match=message):
            read_person(data)
    read_person(join([head, (b"no", b"skip me"), iden]))
    with pytest.raises(StreamError, match="ends before"):
        read_person(join([head, (b"ID", b"\0")])).w_plus(toy_streams.W_MEAN)


def test_a_tuning_of_few_bytes_and_many_values():
    """23 bytes that decode to as many values as 16 controls can have; all are looked at."""
    rows = 17
    head = bytes([1, rows]) + limits.MAX_STYLES.to_bytes(4, "little") + bytes(rows)
    check_tuning(head)
    with pytest.raises(StreamError, match="styles"):
        check_tuning(head[:2] + (limits.MAX_STYLES + 1).to_bytes(4, "little") + head[6:])
