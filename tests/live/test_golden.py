"""The golden streams of version 2: written as they were, and read by two decoders alike."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from facecodec.bitstream import AudioPacket, FrameRecord, StreamReader
from facecodec.bitstream.container.chunks import CONTINUED
from facecodec.live import Decoder
from tests.bitstream import second_decoder
from tests.helpers import toy_streams
from tests.vectors import golden_streams, live_streams, spec_parts

EXPECTED = json.loads((live_streams.FOLDER / "expected.json").read_text())


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_streams_decode_to_what_they_did(name):
    data = (live_streams.FOLDER / name).read_bytes()
    assert golden_streams.decoded(data) == EXPECTED["files"][name]


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_second_decoder_agrees(name):
    data = (live_streams.FOLDER / name).read_bytes()
    got = second_decoder.decode_stream(data, spec_parts.tables(), toy_streams.W_MEAN.tolist())
    assert bytes.fromhex(got.pop("stream_id")) == live_streams.live_streams.STREAM_ID
    assert set(got.pop("tags")) == {2}
    assert got == EXPECTED["files"][name]


@pytest.mark.parametrize("name", EXPECTED["damaged"])
def test_damaged_streams_give_the_same_report(name):
    data = (live_streams.FOLDER / name).read_bytes()
    assert data == live_streams.damaged()[name]
    assert golden_streams.report(data) == EXPECTED["damaged"][name]
    assert EXPECTED["damaged"][name]["damage"]


def test_datagrams_give_the_same_frames():
    packets = [
        bytes.fromhex(line)
        for line in (live_streams.FOLDER / "datagrams.txt").read_text().splitlines()
    ]
    assert packets == live_streams.datagrams()
    assert live_streams.received(packets) == EXPECTED["datagrams"]
    lost = [row for row in EXPECTED["datagrams"]["frames"] if len(row) == 2]
    assert lost and len(EXPECTED["datagrams"]["frames"]) == 20


FILES = [
    *sorted((live_streams.FOLDER / name) for name in EXPECTED["files"]),
    *sorted(golden_streams.FOLDER.glob("[!d]*.fcv")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_reads_a_link_reads_a_file(path):
    """Files of both versions through `Decoder`: the frames and packets that `StreamReader` sees."""
    data = path.read_bytes()
    items = list(StreamReader(io.BytesIO(data)).items())
    decoder, frames, packets = Decoder(), [], []
    for at in range(0, len(data), 100):
        frames += decoder.feed(data[at : at + 100])
        packets += decoder.packets()
    assert decoder.header is not None and decoder.ended and not decoder.counts.unusable
    wanted = [item for item in items if isinstance(item, FrameRecord)]
    assert [frame.index for frame in frames] == [record.index for record in wanted]
    base = decoder.header.time_base
    for frame, record in zip(frames, wanted, strict=True):
        assert frame.time == record.pts * base and frame.flags == record.flags
        assert np.array_equal(frame.controls, record.controls) and not frame.recovered
        assert (frame.placement is None) == (record.placement is None)
        assert frame.placement is None or np.array_equal(frame.placement, record.placement)
    assert packets == [item for item in items if isinstance(item, AudioPacket)]


def test_writing_gives_the_golden_bytes():
    for name, data in live_streams.golden().items():
        assert (live_streams.FOLDER / name).read_bytes() == data, name


def test_they_hold_what_they_are_for():
    single = StreamReader(io.BytesIO((live_streams.FOLDER / "single.fcv").read_bytes()))
    kinds = [chunk.type for chunk in single.all_chunks()]
    assert kinds.count(CONTINUED) > 10 and b"AU" in kinds and b"PA" in kinds
    assert kinds.count(b"\x89FCV") > 1 and single.tuning is not None
