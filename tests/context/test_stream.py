"""The context in a stream: seek, cut, pipes, damage, and earlier readers."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest

from facecodec.bitstream import ContextPictures, ContextPlate, FrameRecord, StreamReader
from facecodec.bitstream.container.context import (
    pack_pictures,
    pack_plate,
    parse_pictures,
    parse_plate,
)
from facecodec.bitstream.container.describe import describe, list_chunks
from facecodec.bitstream.container.verify import verify
from facecodec.bitstream.fields import FieldWriter
from facecodec.decoding.cut import cut
from facecodec.errors import StreamError, UsageError
from tests.helpers import toy_streams
from tests.helpers.damage import join, split

FRAMES, SEGMENT = 18, 4
SECOND = Fraction(1, 25)  # of a frame


@pytest.fixture
def data() -> bytes:
    return toy_streams.write(FRAMES, context=True, segment_frames=SEGMENT)


def shown(reader: StreamReader, *span: Fraction | None) -> list[tuple[int, int | None]]:
    """Return (frame, time of the first of the context's pictures that it shows)."""
    rows, context = [], None
    for item in reader.items(*span, context=True):
        if isinstance(item, ContextPictures):
            context = item.pts[0]
        elif isinstance(item, FrameRecord):
            rows.append((item.index, context))
    return rows


def expected(frames: range) -> list[tuple[int, int]]:
    return [(i, 512 * (i - i % SEGMENT)) for i in frames]


@pytest.mark.parametrize("pipe", [False, True])
def test_each_segment_comes_with_its_own(data, pipe):
    file = toy_streams.Pipe(data) if pipe else io.BytesIO(data)
    reader = StreamReader(file, "test.fcv")
    assert reader.context_plate == ContextPlate("av1", 64, 48, bytes(range(40)))
    assert shown(reader) == expected(range(FRAMES))
    assert not reader.damage


def test_whoever_does_not_ask_for_it_gets_frames_alone(data):
    assert all(isinstance(item, FrameRecord) for item in toy_streams.read(data).items())


@pytest.mark.parametrize("first", [0, 3, 4, 9, 16])
def test_who_enters_anywhere_has_it_at_once(data, first):
    reader = toy_streams.read(data)
    assert shown(reader, first * SECOND) == expected(range(first, FRAMES))
    assert reader.index().entries[first // SEGMENT].first == first - first % SEGMENT
    assert not reader.damage


def test_the_index_counts_it_into_its_group(data):
    reader = toy_streams.read(data)
    assert reader.index() == reader.scanned_index()
    frames, damage = verify(toy_streams.read(data))
    assert (frames, damage) == (FRAMES, [])


@pytest.mark.parametrize(("first", "last"), [(0, 7), (2, 18), (5, 6), (4, 12)])
def test_a_cut_keeps_what_its_frames_show(data, tmp_path, first, last):
    (tmp_path / "whole.fcv").write_bytes(data)
    span = {"start": first * SECOND, "end": last * SECOND}
    cut(tmp_path / "whole.fcv", tmp_path / "part.fcv", **span)
    part = (tmp_path / "part.fcv").read_bytes()
    rows = [(i - first, pts) for i, pts in expected(range(first, last))]
    assert shown(toy_streams.read(part)) == rows
    assert verify(toy_streams.read(part)) == (last - first, [])
    kinds = [kind for kind, _ in split(part)]
    assert kinds.count(b"cF") == len({pts for _, pts in rows})
    again = StreamReader(io.BytesIO(part), "part.fcv")
    for i, pts in rows:  # from any time, too
        assert shown(again, (i + first) * SECOND)[0] == (i, pts)


def test_a_reader_of_before_makes_the_same_of_the_frames(data):
    """To it both types are unknown, and ancillary; as are `zZ` and `zY` to this one."""
    names = {b"cP": b"zZ", b"cF": b"zY"}
    old = join([(names.get(kind, kind), payload) for kind, payload in split(data)])
    reader = toy_streams.read(old)
    plain = toy_streams.read(toy_streams.write(FRAMES, segment_frames=SEGMENT))
    seen, known = list(reader), list(plain)
    assert [frame.pts for frame in seen] == [frame.pts for frame in known]
    assert all((a.controls == b.controls).all() for a, b in zip(seen, known, strict=True))
    assert [frame.index for frame in reader.frames(9 * SECOND)] == list(range(9, FRAMES))
    assert not reader.damage
    one = toy_streams.write(SEGMENT, context=True, segment_frames=SEGMENT)
    old = join([(names.get(kind, kind), payload) for kind, payload in split(one)])
    assert verify(toy_streams.read(old)) == (SEGMENT, [])


BAD_PICTURES = {
    "none": FieldWriter().signed(0).varint(0),
    "too many": FieldWriter().signed(0).varint(241).raw(bytes(600)),
    "a step of nothing": FieldWriter().signed(0).varint(2).varint(0).varint(0).varint(0),
    "beyond all time": FieldWriter().signed(1 << 48).varint(2).varint(1).varint(0).varint(0),
    "larger than it is": FieldWriter().signed(0).varint(1).varint(9).raw(b"1234"),
    "bytes left over": FieldWriter().signed(0).varint(1).varint(1).raw(b"1234"),
    "nothing at all": FieldWriter(),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures_are_reported_and_cost_no_frame(data, name):
    payload = bytes(BAD_PICTURES[name].data)
    with pytest.raises(StreamError):
        parse_pictures(payload)
    chunks = split(data)
    place = [i for i, (kind, _) in enumerate(chunks) if kind == b"cF"][1]
    chunks[place] = (b"cF", payload)
    reader = toy_streams.read(join(chunks))
    rows = shown(reader)
    assert [i for i, _ in rows] == list(range(FRAMES))
    assert rows[SEGMENT] == (SEGMENT, 0)  # what was there before stays
    assert "context" in str(reader.damage[0])
    assert "context" in str(verify(toy_streams.read(join(chunks)))[1][0])


@pytest.mark.parametrize("sides", [(0, 9), (65536, 1), (2048, 1025)])
def test_a_plate_of_an_impossible_size_is_no_plate(data, sides):
    payload = bytes(FieldWriter().string("av1").varint(sides[0]).varint(sides[1]).data)
    with pytest.raises(StreamError):
        parse_plate(payload)
    with pytest.raises(UsageError):
        pack_plate(ContextPlate("av1", *sides, b""))
    chunks = [(k, payload if k == b"cP" else p) for k, p in split(data)]
    reader = toy_streams.read(join(chunks))
    assert reader.context_plate is None
    assert reader.context_plate is None  # asked for again, it is reported once
    assert len(reader.damage) == 1
    assert len(list(reader)) == FRAMES


def test_what_cannot_be_said_is_not_written():
    for pts in ((), (3, 3), (1 << 49,), tuple(range(241))):
        with pytest.raises(UsageError):
            pack_pictures(ContextPictures(pts, (b"",) * len(pts)))
    with pytest.raises(UsageError):
        pack_pictures(ContextPictures((1, 2), (b"",)))


def test_it_is_named_where_bytes_are_counted(data):
    facts = describe(toy_streams.read(data), rates=True)
    assert facts["context"] == {"codec": "av1", "width": 64, "height": 48}
    spent = sum(len(payload) for kind, payload in split(data) if kind in (b"cP", b"cF"))
    assert facts["context_bytes"] == spent
    rows = [row for row in list_chunks(toy_streams.read(data)) if row["type"] in ("cP", "cF")]
    assert len(rows) == 6
    assert not any(row["critical"] for row in rows)
    assert describe(toy_streams.read(toy_streams.write(3)))["context"] is None
