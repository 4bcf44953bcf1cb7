"""SPEC.md, the code, the golden streams and a second decoder: all four agree."""

from __future__ import annotations

import io
import json
import re
import struct
from typing import Any

import numpy as np
import pytest

from facecodec.bitstream import limits, read_identity
from facecodec.bitstream.coding import segment, tracks
from facecodec.bitstream.coding.steps import ALL_STEPS
from tests.bitstream import second_decoder
from tests.helpers import toy_streams as streams
from tests.vectors import golden_streams, spec_parts

SPEC = spec_parts.SPEC.read_text()
EXPECTED = json.loads((golden_streams.FOLDER / "expected.json").read_text())
STREAMS = sorted(name for name in EXPECTED["files"] if name.endswith(".fcv"))


def generated(name: str) -> str:
    return spec_parts.generated(name)


def mean(count: int = 8) -> list[float]:
    data = bytes.fromhex(EXPECTED["w_mean"])
    return list(struct.unpack(f"<{len(data) // 4}f", data))[:count]


def tables() -> dict[str, Any]:
    return spec_parts.tables()


@pytest.mark.parametrize(
    "name",
    [
        "table words",
        "table segment",
        "table identity",
        "example",
        "trace",
        "second example",
        "second trace",
        "reports",
    ],
)
def test_generated_parts_are_current(name):
    assert generated(name) == spec_parts.parts_of_spec()[name]


def example_bytes(name: str = "example") -> bytes:
    """Return the bytes of a worked example as printed in SPEC.md."""
    out = bytearray()
    for line in generated(name).splitlines():
        offset, text = line[:4], line[6:53]
        assert int(offset, 16) == len(out)
        out += bytes.fromhex(text)
    return bytes(out)


def test_worked_example_is_the_golden_stream_and_decodes():
    data = example_bytes()
    assert data == (golden_streams.FOLDER / "example.fcv").read_bytes()
    got = second_decoder.decode_stream(data, tables(), [0.0, 0.0])
    controls = [struct.unpack("<2f", bytes.fromhex(frame[2])) for frame in got["frames"]]
    assert controls == [(0.5, 0.0), (-0.25, 0.0)]
    assert [frame[0] for frame in got["frames"]] == [0, 1]


def test_second_example_is_the_golden_stream_and_has_an_escape():
    data = example_bytes("second example")
    assert data == (golden_streams.FOLDER / "second.fcv").read_bytes()
    got = second_decoder.decode_stream(data, tables(), [0.0, 0.0])
    controls = [struct.unpack("<2f", bytes.fromhex(frame[2])) for frame in got["frames"]]
    assert controls == [(0.5, 0.0), (0.75, -0.5), (0.5, 0.0), (5.5, -0.5)]
    assert "even" in generated("second trace")


@pytest.mark.parametrize("name", EXPECTED["damaged"])
def test_damaged_examples_give_the_report_of_the_spec(name):
    data = (golden_streams.FOLDER / name).read_bytes()
    assert data == golden_streams.damaged()[name]
    assert golden_streams.report(data) == EXPECTED["damaged"][name]


@pytest.mark.parametrize("name", STREAMS)
def test_golden_streams_decode_to_what_they_did(name):
    data = (golden_streams.FOLDER / name).read_bytes()
    assert golden_streams.decoded(data) == EXPECTED["files"][name]


@pytest.mark.parametrize("name", STREAMS)
def test_second_decoder_agrees(name):
    data = (golden_streams.FOLDER / name).read_bytes()
    width = 2 if name in ("example.fcv", "second.fcv") else 8
    assert second_decoder.decode_stream(data, tables(), mean(width)) == EXPECTED["files"][name]


def test_second_decoder_agrees_on_fresh_streams():
    for seed in range(3):
        controls = streams.motion(40, 35, seed) * 3 ** (seed - 1)
        data = streams.write(40, controls=controls.astype(np.float32))
        ours = golden_streams.decoded(data)
        assert second_decoder.decode_stream(data, tables(), mean()) == ours


def test_writing_gives_the_golden_bytes():
    for name, data in golden_streams.golden().items():
        assert (golden_streams.FOLDER / name).read_bytes() == data, name


def test_golden_identity_file():
    person = read_identity(io.BytesIO((golden_streams.FOLDER / "person.fci").read_bytes()))
    wanted = EXPECTED["files"]["person.fci"]
    assert (
        person.w_plus(np.array(mean(), np.float32)).astype("<f4").tobytes().hex()
        == (wanted["identity"])
    )
    assert person.tuning is not None
    assert person.tuning.hex() == wanted["tuning"]


def test_numbers_of_the_spec_are_those_of_the_code():
    assert f"{segment.CONTEXTS} contexts" in SPEC
    for name, first in (("placement", segment.PLACEMENT), ("controls", segment.CONTROLS)):
        assert f"| {name} | {first} | {tracks.CONTEXTS} | a track |" in SPEC
    for name in ("FIRST", "MOVED_A", "MOVED_B", "DOWN", "SIZE_A", "SIZE_B"):
        assert f"| {name} | {getattr(tracks, name)} |" in SPEC
    assert f"frames of a segment | 1 to {limits.MAX_SEGMENT_FRAMES} |" in SPEC
    assert limits.MAX_LEVEL == 2**18 - 1
    assert limits.MAX_PTS == 2**48
    assert limits.SCAN_WORK == 64
    assert ALL_STEPS[0] == np.float32(2**-12)
    assert ALL_STEPS[255] == 15.5
    assert not re.search(r"TODO|TBD", SPEC)
