"""`info`, `verify` and decoding say the same of a stream, or say what they did not look at."""

from __future__ import annotations

import io
import json
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from facecodec.bitstream import IdentityFile, StreamReader, StreamWriter, pack_identity
from facecodec.bitstream.coding.full_tuning import pack_full, quantise_full
from facecodec.bitstream.coding.small_tuning import pack_small, quantise_small
from facecodec.bitstream.container.describe import describe
from facecodec.bitstream.container.verify import verify
from facecodec.bitstream.fields import FieldWriter
from facecodec.errors import StreamError, UsageError
from tests.helpers import toy_streams
from tests.helpers.commands import run
from tests.helpers.damage import join, places, read_all, split, start


def reader(data: bytes) -> StreamReader:
    return StreamReader(io.BytesIO(data), "test.fcv")


def reports(data: bytes) -> dict[str, list[str]]:
    """Return what every way to read a stream reports."""
    lines: dict[str, list[str]] = {"verify": [str(item) for item in verify(reader(data))[1]]}
    ways: dict[str, Callable[[StreamReader], object]] = {
        "frames": lambda stream: list(stream.frames()),
        "items": lambda stream: list(stream.items()),
        "rates": lambda stream: describe(stream, rates=True),
    }
    for name, way in ways.items():
        stream = reader(data)
        way(stream)
        lines[name] = [str(item) for item in stream.damage]
    return lines


def test_packets_without_parameters_are_reported_by_every_way_to_read():
    data = toy_streams.write(12, audio=toy_streams.packets(24))
    lines = reports(join([chunk for chunk in split(data) if chunk[0] != b"AP"]))
    for way in ("verify", "frames", "items"):
        assert any("parameters are missing" in line for line in lines[way]), way


def test_a_lost_segment_is_reported_or_not_looked_at(tmp_path):
    data = bytearray(toy_streams.write(30, segment_frames=10))
    middle = [at for at, kind, _ in places(bytes(data)) if kind == b"SE"][1]
    data[middle + 9] ^= 1
    path = tmp_path / "hurt.fcv"
    path.write_bytes(data)
    facts = json.loads(run("info", path, "--json"))
    assert facts["frames"] == 30
    assert facts["damage"] == []
    assert "last segment" in facts["coverage"]
    assert "the rest was not read" in run("info", path)
    for option in ("--rates", "--chunks"):
        facts = json.loads(run("info", path, "--json", option))
        assert facts["coverage"] == "all chunks"
        assert len(facts["damage"]) == 1
        assert "damaged: byte" in run("info", path, option)
    for way, lines in reports(bytes(data)).items():
        assert len(lines) == 1, way


def test_info_takes_no_longer_for_a_long_stream():
    """A still hour in 15 KB: the facts come from the index and one segment."""
    file = io.BytesIO()
    head = toy_streams.header(control_steps=[1.0])
    frames = 60_000
    with StreamWriter(file, head, 240) as writer:
        writer.write_identity(toy_streams.latent(), toy_streams.W_MEAN)
        for i in range(frames):
            writer.write_frame(512 * i, np.zeros(1, np.float32))
    stream = reader(file.getvalue())
    begin = time.process_time()
    facts = describe(stream)
    spent = time.process_time() - begin
    assert facts["frames"] == frames
    assert facts["duration"] == frames / 25
    begin = time.process_time()
    describe(stream, rates=True)
    assert spent < (time.process_time() - begin) / 10


def wrong_sizes(data: bytes, shift: int) -> bytes:
    """Return a stream whose first group is said to be `shift` bytes longer than it is."""
    chunks = split(data)
    index = reader(data).index()
    index.entries[0] = type(index.entries[0])(
        index.entries[0].offset - shift, *(getattr(index.entries[0], n) for n in
                                          ("first", "frames", "pts"))
    )  # fmt: skip
    end = index.pack(reader(data).header, start(data, b"EN"))
    return join([*chunks[:-1], (b"EN", end)])


@pytest.mark.parametrize("shift", [-3, 5, "TU", "AP", "ID"])
def test_an_index_that_points_beside_the_groups_does_no_harm(shift, tmp_path):
    """Its CRC is right, and it points into or at another chunk: read by a scan, and reported."""
    whole = toy_streams.write(
        24, audio=toy_streams.packets(48), tuning=toy_streams.light_tuning(), segment_frames=8
    )
    if isinstance(shift, str):
        shift = start(whole, b"AU") - start(whole, shift.encode())
    data = wrong_sizes(whole, shift)
    path = tmp_path / "beside.fcv"
    path.write_bytes(data)
    facts = json.loads(run("info", path, "--json"))
    assert facts["frames"] == 24
    early = [frame.index for frame in reader(data).frames(toy_streams.Fraction(0))]
    assert early == list(range(24))
    for way in ("verify", "frames", "items"):
        assert any("index is not that of the file" in line for line in reports(data)[way]), way


def small_tuning(controls: int = 35) -> bytes:
    rng = np.random.default_rng(6)
    rows, shares = rng.laplace(0, 0.1, (4, 150)), rng.normal(0, 1, (controls, 3))
    return pack_small(quantise_small(rows, shares, 0.1))


def full_tuning() -> bytes:
    light = toy_streams.light_tuning()
    return pack_full(quantise_full(light, np.linspace(-1, 1, 500), 0.01))


def good_and_bad_tunings() -> dict[str, tuple[bytes, str]]:
    """Return tunings with what `verify` says of them, '' for nothing."""
    light, full = toy_streams.light_tuning(), full_tuning()
    at = full.index(light) + len(light) + 1
    levels = zlib.compress(bytes(501), 9)
    count = bytes(FieldWriter().varint(500).data)
    return {
        "light": (light, ""),
        "full": (full, ""),
        "small": (small_tuning(), ""),
        "small, long": (small_tuning() + bytes(9), "bytes after its last value"),
        "small, cut in its head": (small_tuning()[:20], "ends before"),
        "small, other controls": (small_tuning(34), "36 are wanted"),
        "unknown": (b"\4" + light[1:], "kind of tuning"),
        "long": (light + bytes(9), "bytes after its last value"),
        "cut in its head": (light[:20], "ends before"),
        "other controls": (toy_streams.light_tuning(34), "36 are wanted"),
        "no encoder's": (light[:42] + b"\xff" * 40, "no encoder makes"),
        "full, cut": (full[:-9], "not the 500 weights"),
        "full, too many": (full[:at] + count + levels, "not the 500 weights"),
        "full, no zlib": (full[: at + 2] + b"nonsense", "cannot be read"),
        "full, bad light": (full.replace(light[:2], b"\1\x55", 1), "rows"),
    }


@pytest.mark.parametrize("name", good_and_bad_tunings())
def test_verify_looks_into_the_tuning(name, tmp_path):
    tuning, message = good_and_bad_tunings()[name]
    path = tmp_path / "tuned.fcv"
    path.write_bytes(toy_streams.write(3, tuning=tuning))
    assert (message or "whole") in run("verify", path, code=1 if message else 0)
    payload = pack_identity(toy_streams.latent(), toy_streams.W_MEAN)
    person = IdentityFile("toy", bytes(32), 4, 8, "", payload, tuning)
    path = tmp_path / "who.fci"
    path.write_bytes(person.pack())
    if name.endswith("other controls"):
        message = ""  # a .fci file does not say for how many controls it is
    assert (message or "whole") in run("verify", path, code=1 if message else 0)


def test_verify_reads_a_pipe(monkeypatch):
    data = toy_streams.write(30, audio=toy_streams.packets(60), tuning=toy_streams.light_tuning())
    stream = StreamReader(toy_streams.Pipe(data), "pipe")  # type: ignore[arg-type]
    assert verify(stream) == (30, [])


def test_an_identity_file_whose_identity_does_not_decode_is_refused(tmp_path):
    payload = pack_identity(toy_streams.latent(), toy_streams.W_MEAN)
    for bad in (b"\2" + payload[1:], payload[:3], payload + bytes(9), b"\1" + bytes(7)):
        path = tmp_path / "who.fci"
        path.write_bytes(IdentityFile("toy", bytes(32), 4, 8, "", bad).pack())
        with pytest.raises(StreamError, match="identity"):
            run("info", path)


BODIES = [b"\xff" * 4, b"\xff" * 5, b"\xff\xff\xff\xff\x00"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("kind", [b"SE", b"ID"])
def test_a_code_at_or_above_the_range_breaks_the_format(kind, body):
    """Two readers could otherwise decode other values and say nothing."""
    chunks = split(toy_streams.write(4, segment_frames=4))
    place = [name for name, _ in chunks].index(kind)
    head = chunks[place][1][: 4 if kind == b"SE" else 5]
    chunks[place] = (kind, head + body)
    damage = [str(item) for item in verify(reader(join(chunks)))[1]]
    assert any("no encoder makes" in line for line in damage)


def test_audio_that_the_writer_takes_is_what_the_reader_gives():
    """Decoding and presentation times may lie far apart, as far as both are in range."""
    most = 1 << 48
    packet = toy_streams.AudioPacket
    far = [packet(most, -most, 5, b"a"), packet(-most, most, most, b"b"), packet(0, -most, 0, b"")]
    data = toy_streams.write(1, audio=far)
    assert list(reader(data).audio_packets()) == far
    assert not read_all(data).damage
    for bad in (
        packet(most + 1, 0, 0, b""),
        packet(0, -most - 1, 0, b""),
        packet(0, 0, -1, b""),
        packet(0, 0, most + 1, b""),
    ):
        with pytest.raises(UsageError, match="audio packet"):
            toy_streams.write(1, audio=[bad])


def test_cut_takes_what_recovery_made(tmp_path):
    """Every flip of a body byte: recovered frames can be written again, their times rising."""
    data = toy_streams.write(20, segment_frames=3)
    path, out = tmp_path / "hurt.fcv", tmp_path / "part.fcv"
    body = start(data, b"SE")
    for at in range(body, len(data), 11):
        path.write_bytes(data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :])
        run("cut", path, out, "-f")
        assert len(list(reader(out.read_bytes()))) == 20


def test_a_writer_refuses_what_does_not_fit_a_chunk():
    head = toy_streams.header(metadata={f"{i:02}" + "k" * 125: "v" * 127 for i in range(64)})
    with pytest.raises(UsageError, match="too many for a"):
        StreamWriter(io.BytesIO(), head)
    with pytest.raises(UsageError, match="out of range"):
        toy_streams.write(1, pts=[(1 << 48) + 1])
