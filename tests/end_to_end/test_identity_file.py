"""A person paid for once: encode against a `.fci` file, decode with it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

import facecodec
from facecodec.bitstream import load_identity_file, open_stream
from facecodec.encoding.presets import LIVE_TRACKING, Preset
from facecodec.errors import StreamError, UsageError
from facecodec.generator.sampling import draw_latents
from tests.helpers.commands import run
from tests.helpers.presets import TINY, pose_corrected_alone


@pytest.mark.usefixtures("tiny_fits", "pose_alone")
def test_encode_against_an_identity_file(tmp_path, generator, finder, sample):
    if not sample.is_file():
        pytest.skip("samples/sample.mp4 is not made yet: make sample")
    alone, fci, shared = (tmp_path / name for name in ("alone.fcv", "who.fci", "shared.fcv"))
    fast = ("--preset", "fast", "--max-frames", 2)
    run("encode", sample, alone, *fast)
    run("identity", "extract", alone, fci)
    run("encode", sample, shared, *fast, "--identity", fci, "--live")
    person = load_identity_file(fci)
    stream = open_stream(shared)
    assert stream.identity_payload is None
    assert stream.identity_reference == person.sha256
    facts = json.loads(run("info", shared, "--json", "--rates"))
    assert facts["metadata"]["live"] == "yes"
    assert facts["identity_bytes"] == 32
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = fci.rename(elsewhere / fci.name)
    with pytest.raises(StreamError, match=person.sha256.hex()):
        run("decode", shared, tmp_path / "no.mp4")
    assert not (tmp_path / "no.mp4").exists()
    run("decode", shared, tmp_path / "given.mp4", "--identity", moved, "--size", 256)
    moved.rename(fci)
    run("decode", shared, tmp_path / "beside.mp4", "--size", 256)
    assert (tmp_path / "beside.mp4").read_bytes() == (tmp_path / "given.mp4").read_bytes()
    run("decode", shared, tmp_path / "back.mp4", "--identity", fci, "--size", 256)
    assert (tmp_path / "back.mp4").stat().st_size > 1000


# One picture to correct previews by, and few for the derivative.
TINY_TRACKING = replace(LIVE_TRACKING, preview_renders=1, prepared_renders=10)
LIVE = Preset(keyframes=1, tracking=TINY_TRACKING, live=True)


@pytest.fixture(scope="module")
def person(tmp_path_factory, generator, finder, sample) -> Path:
    """The person of the sample, hardly fitted."""
    folder = tmp_path_factory.mktemp("person")
    with pose_corrected_alone():
        facecodec.encode(sample, folder / "once.fcv", preset=TINY, tune="none", max_frames=1)
    facecodec.Avatar.from_stream(folder / "once.fcv").save(folder / "who.fci")
    return folder / "who.fci"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """An empty cache for what live tracking learns of a person."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("facecodec.encoding.preparation.home", lambda: folder)
    return folder


def test_what_is_kept_of_a_person_changes_no_byte(tmp_path, person, sample, cache, small_rig):
    streams = []
    for name in ("learnt", "read"):
        assert bool(list(cache.glob("*/*"))) == (name == "read")
        facecodec.encode(
            sample, tmp_path / name, preset=LIVE, identity=person, rig=small_rig, any_face=True,
            max_frames=6,
        )  # fmt: skip
        streams.append((tmp_path / name).read_bytes())
    assert streams[0] == streams[1]


def test_live_reads_a_known_person_once(tmp_path, person, sample, small_rig):
    stages: list[str] = []
    summary = facecodec.encode(
        sample, tmp_path / "live.fcv", preset=LIVE, identity=person, rig=small_rig,
        any_face=True, max_frames=4, progress=lambda stage, done, total: stages.append(stage),
    )  # fmt: skip
    assert summary.frames == 4 and summary.no_face == 0
    assert set(stages) == {"learning how the face moves", "tracking"}
    stream = open_stream(tmp_path / "live.fcv")
    assert stream.header.metadata["live"] == "yes"
    squares = np.array([frame.placement for frame in stream.frames()])
    assert np.isfinite(squares).all()
    assert np.abs(np.diff(squares[:, :2], axis=0)).max() < 5  # pixels: the head hardly moves


def test_live_refuses_somebody_else_at_the_first_frame(tmp_path, generator, person, sample):
    other = facecodec.Avatar.from_identity_file(person)
    w = generator.broadcast(draw_latents(generator, 1, seed=5, truncation=0.7))[0]
    facecodec.Avatar(other.model, w.numpy()).save(tmp_path / "other.fci")
    with pytest.raises(UsageError, match="not the person's"):
        facecodec.encode(
            sample, tmp_path / "no.fcv", preset=LIVE, identity=tmp_path / "other.fci", max_frames=6
        )
    assert not (tmp_path / "no.fcv").exists()


@pytest.mark.slow
def test_encode_and_decode_through_pipes(tmp_path, generator, finder, sample):
    if not sample.is_file():
        pytest.skip("samples/sample.mp4 is not made yet: make sample")
    program = [sys.executable, "-m", "facecodec"]
    fast = ["--preset", "fast", "--max-frames", "2", "-q"]
    through = tmp_path / "through.mp4"
    encode = subprocess.Popen([*program, "encode", str(sample), "-", *fast], stdout=subprocess.PIPE)
    decode = [*program, "decode", "-", str(through), "--size", "256", "-q"]
    subprocess.run(decode, stdin=encode.stdout, check=True)
    assert encode.wait() == 0
    with av.open(str(through)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2
