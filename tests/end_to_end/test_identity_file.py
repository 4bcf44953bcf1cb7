"""A person paid for once: encode against a `.fci` file, decode with it."""

from __future__ import annotations

import json
import subprocess
import sys

import av
import pytest

from facecodec.bitstream import load_identity_file, open_stream
from facecodec.errors import StreamError
from tests.helpers.commands import run


def test_encode_against_an_identity_file(tmp_path, generator, finder, sample, tiny_fits):
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
