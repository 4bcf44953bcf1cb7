"""info, verify, cut and identity, as commands."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.bitstream import (
    FrameFlags,
    IdentityFile,
    StreamWriter,
    load_identity_file,
    open_stream,
    pack_identity,
)
from facecodec.errors import StreamError, UsageError
from tests.helpers import damage
from tests.helpers import toy_streams as streams
from tests.helpers.commands import run
from tests.helpers.damage import start

TUNING = streams.light_tuning(styles=4)


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.fcv"
    head = streams.header(metadata={"preset": "medium"})
    flags = [FrameFlags.NO_FACE if i % 7 == 3 else 0 for i in range(55)]
    audio = streams.packets(110)
    path.write_bytes(streams.write(55, head=head, audio=audio, flags=flags, tuning=TUNING))
    return path


def test_info_says_what_and_how_much(talk):
    facts = json.loads(run("info", talk, "--json", "--chunks", "--rates"))
    parts = ("identity", "controls", "placement", "audio", "tuning", "container")
    assert sum(facts[f"{part}_bytes"] for part in parts) == talk.stat().st_size == facts["bytes"]
    assert facts["frames"] == 55
    assert facts["duration"] == pytest.approx(55 / 25)
    assert facts["controls_kbps"] == pytest.approx(8 * facts["controls_bytes"] / 2200)
    assert (facts["generator"], facts["creator"]) == ("toy", "tests")
    assert facts["audio"] == {"codec": "aac", "sample_rate": 48000, "channels": 2}
    assert facts["metadata"] == {"preset": "medium"}
    assert facts["damage"] == []
    assert [row["type"] for row in facts["chunks"]][:5] == ["header", "ID", "AP", "TU", "AU"]
    assert sum(row["bytes"] for row in facts["chunks"]) == facts["bytes"]
    text = run("info", talk, "--rates")
    assert "55 at 25 a second" in text
    assert str(facts["controls_bytes"]) in text


def test_info_lists_flagged_frames(tmp_path):
    path = tmp_path / "talk.fcv"
    flags = [0] * 5 + [FrameFlags.LOW_CONFIDENCE] * 3 + [FrameFlags.NO_FACE] * 2 + [0] * 15
    path.write_bytes(streams.write(25, flags=flags))
    facts = json.loads(run("info", path, "--flags", "--json"))
    assert facts["flagged"] == [
        {"first": 5, "last": 7, "start": 0.2, "end": 0.28, "flag": "low confidence"},
        {"first": 8, "last": 9, "start": 0.32, "end": 0.36, "flag": "no face"},
    ]
    text = run("info", path, "--flags")
    assert text.count("low confidence") == text.count("no face") == 1
    path.write_bytes(streams.write(4))
    assert "no frame is flagged" in run("info", path, "--flags")


def test_duration_of_variable_frames(tmp_path):
    path = tmp_path / "vfr.fcv"
    pts = [0, 10, 40, 90]
    path.write_bytes(streams.write(4, head=streams.header(frame_rate=None), pts=pts))
    facts = json.loads(run("info", path, "--json"))
    assert facts["duration"] == pytest.approx(float(Fraction(120, 12800)))
    assert facts["frame_rate"] is None


def test_verify_whole_and_damaged(talk):
    assert "whole, 55 frames" in run("verify", talk)
    data = bytearray(talk.read_bytes())
    segment = start(bytes(data), b"SE", last=True)
    data[segment + 20] ^= 1
    talk.write_bytes(data)
    assert "no whole chunk" in run("verify", talk, code=1)
    facts = json.loads(run("verify", talk, "--json", code=1))
    assert not facts["whole"]
    assert facts["frames"] == 50
    assert facts["damage"][0]["offset"] == segment
    data[30] ^= 1  # the header
    talk.write_bytes(data)
    assert "header is damaged" in run("verify", talk, code=1)


def test_verify_finds_a_wrong_index(talk):
    data = talk.read_bytes()
    other = streams.write(40, audio=streams.packets(80), head=open_stream(talk).header)
    talk.write_bytes(data[: start(data, b"EN")] + other[start(other, b"EN") :])
    assert "index" in run("verify", talk, code=1)


def test_cut_keeps_every_bit(talk, tmp_path):
    part = tmp_path / "part.fcv"
    run("cut", talk, part, "--start", "0.5", "--end", "1.64")
    whole, kept = open_stream(talk), open_stream(part)
    frames = [frame for frame in whole if Fraction(1, 2) <= frame.pts * whole.header.time_base]
    frames = [frame for frame in frames if frame.pts * whole.header.time_base < Fraction("1.64")]
    got = list(kept)
    assert len(got) == len(frames) == 28
    for a, b in zip(got, frames, strict=True):
        assert (a.pts, a.flags) == (b.pts, b.flags)
        assert a.controls.tobytes() == b.controls.tobytes()
        assert a.placement.tobytes() == b.placement.tobytes()
    assert kept.identity_payload == whole.identity_payload
    assert kept.tuning == TUNING
    span = (Fraction(1, 2), Fraction("1.64"))
    packets = list(kept.audio_packets())
    assert packets == list(whole.audio_packets(*span))
    assert packets
    assert "whole" in run("verify", part)


def test_cutting_everything_is_a_copy(talk, tmp_path):
    part = tmp_path / "all.fcv"
    run("cut", talk, part)
    again = tmp_path / "again.fcv"
    run("cut", part, again)
    assert part.read_bytes() == again.read_bytes()
    assert [f.controls.tobytes() for f in open_stream(part)] == [
        f.controls.tobytes() for f in open_stream(talk)
    ]


def test_cut_of_nothing_leaves_no_file(talk, tmp_path):
    with pytest.raises(UsageError, match="no frame"):
        run("cut", talk, tmp_path / "none.fcv", "--start", "99")
    with pytest.raises(UsageError, match="is an input"):
        run("cut", talk, talk)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.fcv"]


def test_identity_file_carries_the_person(talk, tmp_path):
    fci = tmp_path / "alice.fci"
    facts = json.loads(run("identity", "extract", talk, fci, "--json"))
    assert facts["sha256"] == hashlib.sha256(fci.read_bytes()).hexdigest()
    assert facts == json.loads(run("identity", "info", fci, "--json"))
    assert facts == json.loads(run("info", fci, "--json"))
    assert facts["tuning_bytes"] == len(TUNING)
    person = load_identity_file(fci)
    assert np.array_equal(person.w_plus(streams.W_MEAN), open_stream(talk).identity(streams.W_MEAN))
    assert "whole" in run("verify", fci)
    bare = json.loads(run("identity", "extract", talk, fci, "--json", "--no-tuning", "-f"))
    assert bare["tuning_bytes"] == 0


def test_a_stream_may_refer_to_its_identity(tmp_path):
    head = streams.header()
    payload = pack_identity(streams.latent(), streams.W_MEAN)
    alice = IdentityFile("toy", head.generator_sha256, 4, 8, "", payload)
    bob = IdentityFile("toy", head.generator_sha256, 4, 8, "bob", payload)
    (tmp_path / "alice.fci").write_bytes(alice.pack())
    (tmp_path / "bob.fci").write_bytes(bob.pack())
    alice, bob = (load_identity_file(tmp_path / f"{name}.fci") for name in ("alice", "bob"))
    path = tmp_path / "talk.fcv"
    with path.open("wb") as file, StreamWriter(file, head) as writer:
        writer.write_identity_reference(alice.sha256)
        writer.write_frame(0, np.zeros(35, np.float32))
    stream = open_stream(path)
    assert np.array_equal(stream.identity(streams.W_MEAN, alice), alice.w_plus(streams.W_MEAN))
    with pytest.raises(StreamError, match=alice.sha256.hex()):
        stream.identity(streams.W_MEAN)
    with pytest.raises(StreamError, match=bob.sha256.hex()):
        stream.identity(streams.W_MEAN, bob)
    facts = json.loads(run("info", path, "--json", "--rates"))
    assert stream.person_tuning(alice) is None
    tuned = dataclasses.replace(alice, tuning=b"tuned")
    assert stream.person_tuning(tuned) == b"tuned"
    assert facts["identity_reference"] == alice.sha256.hex()
    assert facts["identity_bytes"] == 32
    assert "whole" in run("verify", path)
    with pytest.raises(StreamError, match="already"):
        run("identity", "extract", path, tmp_path / "no.fci")


def test_a_damaged_identity_file_is_refused(talk, tmp_path):
    fci = tmp_path / "alice.fci"
    run("identity", "extract", talk, fci)
    good = fci.read_bytes()
    places = [at for at, _, _ in damage.places(good)]
    for place in range(len(good)):
        fci.write_bytes(good[:place] + bytes([good[place] ^ 16]) + good[place + 1 :])
        with pytest.raises(StreamError):
            load_identity_file(fci)
    for size in range(len(good)):
        fci.write_bytes(good[:size])
        # Cut after the identity the file is whole but for the tuning, which is another file.
        if size == places[-1]:
            continue
        with pytest.raises(StreamError):
            load_identity_file(fci)
    assert "refused" in run("verify", fci, code=1)


@pytest.mark.parametrize("name", ["info", "verify"])
def test_missing_files_and_foreign_files(name, tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        run(name, tmp_path / "none.fcv")
    foreign = tmp_path / "text.fcv"
    foreign.write_text("hello, this is no stream\n" * 10)
    if name == "verify":
        assert "not a .fcv" in run(name, foreign, code=1)
    else:
        with pytest.raises(StreamError, match=r"not a \.fcv"):
            run(name, foreign)


def test_standard_input_is_a_stream(talk, monkeypatch):
    given = types.SimpleNamespace(buffer=streams.Pipe(talk.read_bytes()))
    monkeypatch.setattr("sys.stdin", given)
    stream = open_stream("-")
    assert not stream.seekable
    assert len(list(stream)) == 55
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=streams.Pipe(b"")))
    with pytest.raises(StreamError, match="standard input"):
        open_stream("-")


def test_standard_output_takes_a_stream(capsysbinary):
    refuse_overwrite(Path("-"), force=False)
    with opened_whole(Path("-")) as file:
        streams.write(12, out=file)
    assert capsysbinary.readouterr().out == streams.write(12)


def test_a_pipe_with_a_name_is_read_from_its_beginning(talk, tmp_path):
    """To see whether it is an identity file, nothing is taken out of it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(talk.read_bytes()), daemon=True)
    writer.start()
    assert "whole" in run("verify", pipe)
    writer.join(10)
    assert not writer.is_alive()
