"""Files appended to one another, and ends that come twice: bounded in time, and reported."""

from __future__ import annotations

import io

import pytest

from facecodec.bitstream import StreamReader
from facecodec.bitstream.container.describe import describe, list_chunks
from facecodec.bitstream.container.verify import verify
from tests.helpers import toy_streams
from tests.helpers.damage import join, split

pytestmark = pytest.mark.timeout(20)

FRAMES = 240


def long_stream(**changes) -> bytes:
    """Return a stream of more than the 4 KiB that a reader takes at once."""
    data = toy_streams.write(FRAMES, segment_frames=5, **changes)
    assert len(data) > 5000
    return data


STREAMS = {
    "plain": lambda: long_stream(),
    "sound": lambda: long_stream(audio=toy_streams.packets(2 * FRAMES)),
    "tuned": lambda: long_stream(tuning=toy_streams.light_tuning()),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("copies", [1, 2, 3])
def test_concatenated_streams_are_verified(name, copies):
    data = STREAMS[name]()
    stream = StreamReader(io.BytesIO(data * copies), "joined.fcv")
    frames, damage = verify(stream)
    assert frames == FRAMES
    if copies == 1:
        assert not damage
    else:
        assert [(d.offset, d.size) for d in damage] == [(len(data), (copies - 1) * len(data))]
        assert "after the end" in damage[0].reason


def repeats() -> dict[str, bytes]:
    """Return streams whose last chunks come again, with right CRCs."""
    chunks = split(long_stream())
    end, segment = chunks[-1], chunks[-2]
    filler = (b"SE", segment[1])
    return {
        "ends": join([*chunks, *[end] * 300]),
        "segments and ends": join([*chunks, *[filler, end] * 60]),
        "an end before the segments": join([*chunks[:2], end, *chunks[2:]]),
    }


@pytest.mark.parametrize("name", ["ends", "segments and ends", "an end before the segments"])
def test_repeated_ends_are_verified(name):
    data = repeats()[name]
    stream = StreamReader(io.BytesIO(data), "repeated.fcv")
    try:
        _, damage = verify(stream)
    except Exception as error:  # noqa: BLE001
        assert "missing where nothing was lost" in str(error)  # noqa: PT017
        return
    assert any("after the end" in item.reason for item in damage)


@pytest.mark.parametrize("copies", [2, 3])
def test_what_follows_the_end_is_one_row_of_the_list_and_no_frames(copies):
    """`info --chunks` and the byte split stop at the end chunk, as a reader must."""
    data = long_stream()
    once, many = (StreamReader(io.BytesIO(data * n), "joined.fcv") for n in (1, copies))
    rows = list_chunks(many)
    assert rows[:-1] == list_chunks(once)
    assert rows[-1]["type"] == "damage"
    assert rows[-1]["bytes"] == (copies - 1) * len(data)
    split_once, split_many = once.rate_split(), many.rate_split()
    assert split_many.total_bytes == copies * len(data)
    assert split_many.controls_bytes == split_once.controls_bytes
    assert split_many.frames == FRAMES
    assert describe(many)["frames"] == FRAMES


def test_two_walks_through_one_file_do_not_disturb_each_other():
    """Whoever moves the position of the file, a walk goes on where it was."""
    data = long_stream(audio=toy_streams.packets(2 * FRAMES))
    stream = StreamReader(io.BytesIO(data), "twice.fcv")
    alone = [chunk.offset for chunk in stream.all_chunks()]
    together = []
    for chunk in stream.all_chunks():
        together.append(chunk.offset)
        stream.index()
        stream.scanned_index()
        assert len(list(zip(stream, range(3), strict=False))) == 3
    assert together == alone
    pairs = list(zip(stream.frames(), stream.frames(), strict=True))
    assert len(pairs) == FRAMES
    assert all(a.controls.tobytes() == b.controls.tobytes() for a, b in pairs)
