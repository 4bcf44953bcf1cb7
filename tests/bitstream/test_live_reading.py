"""A reader at the end of a pipe gives every frame as soon as its bytes have come."""

from __future__ import annotations

import io
import os
import threading
import types
from collections.abc import Iterator

import pytest

from facecodec.bitstream import AudioPacket, StreamReader, open_stream
from facecodec.errors import UsageError
from tests.helpers import toy_streams
from tests.helpers.damage import places

pytestmark = pytest.mark.timeout(30)


def chunks_of(data: bytes) -> Iterator[bytes]:
    rows = [at for at, _, _ in places(data)] + [len(data)]
    for at, end in zip(rows, rows[1:], strict=False):
        yield data[at:end]


@pytest.mark.parametrize("audio", [False, True])
def test_each_frame_comes_with_its_segment(audio):
    """The writer sends a chunk only after the reader has given all frames of the one before."""
    data = toy_streams.write(20, segment_frames=1, audio=toy_streams.packets(40) if audio else None)
    inward, outward = os.pipe()
    sent, seen = 0, threading.Semaphore(0)

    def send() -> None:
        nonlocal sent
        with os.fdopen(outward, "wb", buffering=0) as file:
            for chunk in chunks_of(data):
                if chunk[:2] == b"SE" and sent:
                    assert seen.acquire(timeout=10), f"frame {sent - 1} was sent and did not come"
                sent += chunk[:2] == b"SE"
                file.write(chunk)

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(inward, "rb") as file:
        for item in StreamReader(file, "pipe").items():
            if not isinstance(item, AudioPacket):
                assert item.index == sent - 1
                seen.release()
    sender.join()
    assert sent == 20


def test_what_follows_the_end_in_a_pipe_is_reported_without_reading_it_all():
    data = toy_streams.write(6)

    class Endless(io.RawIOBase):
        """A pipe that goes on with zeros for ever."""

        def __init__(self) -> None:
            self.data = data

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return False

        def readinto(self, buffer) -> int:
            part = (self.data or bytes(100))[: len(buffer)]
            self.data = self.data[len(part) :]
            buffer[: len(part)] = part
            return len(part)

    stream = StreamReader(Endless(), "endless")  # type: ignore[arg-type]
    assert len(list(stream)) == 6
    assert "after the end" in str(stream.damage[0])


@pytest.mark.parametrize("stdin", [None, types.SimpleNamespace(buffer=None)])
def test_a_closed_standard_input_is_a_usage_error(monkeypatch, stdin):
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(UsageError, match="standard input is closed"):
        open_stream("-")
