"""Sources that are read once: files, pipes, pictures; and what is not opened."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facecodec.errors import FacecodecError, UsageError
from facecodec.live import reading
from facecodec.live.reading import CaptureThread
from facecodec.video.capture import Heard, Seen
from facecodec.video.capturing import open_capture
from facecodec.video.still import encode_png
from tests.helpers.clips import RATE, SIZE, gradient, level_error, write_clip

FRAMES = 12


@pytest.fixture
def clip(tmp_path) -> Path:
    pictures = [gradient(shade=5 * i) for i in range(FRAMES)]
    return write_clip(tmp_path / "in.mkv", pictures, "ffv1", pix_fmt="bgr0", audio="flac", first=50)


def read(name: object, **given: object) -> tuple[list[Seen], list[Heard], Fraction | None]:
    capture = open_capture(str(name), **given)
    try:
        items = list(capture.items())
    finally:
        capture.close()
    seen = [item for item in items if isinstance(item, Seen)]
    return seen, [item for item in items if isinstance(item, Heard)], capture.rate


@contextmanager
def piped(path: Path) -> Iterator[Path]:
    """A named pipe through which a file comes."""
    pipe = path.with_suffix(".pipe")
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()), daemon=True)
    writer.start()
    yield pipe
    writer.join(5)


def check(seen: list[Seen], heard: list[Heard], rate: Fraction | None) -> None:
    assert [item.time for item in seen] == pytest.approx(
        [i / RATE for i in range(FRAMES)], abs=1e-3
    )
    assert rate == RATE
    for i in (0, FRAMES - 1):
        assert seen[i].picture().shape == (SIZE[1], SIZE[0], 3)
        assert level_error(seen[i].picture(), gradient(shade=5 * i)) < 1
    assert heard[0].time == pytest.approx(0, abs=0.03)
    samples = sum(frame.samples for item in heard for frame in item.frames)
    assert samples / 44100 == pytest.approx(FRAMES / RATE, abs=0.05)


def test_a_file_is_read_once(clip):
    check(*read(clip))


def test_a_picture_outlives_its_container(clip, monkeypatch):
    """What is asked of a stream after that is asked of freed memory: a crash, now and then."""
    seen, *_ = read(clip)

    def refused(*_):
        raise AssertionError("a stream was asked after its container was closed")

    monkeypatch.setattr("facecodec.video.capture.pixel_shape", refused)
    assert seen[1].picture().shape == (SIZE[1], SIZE[0], 3)


def test_a_pipe_is_read_as_it_comes(clip):
    with piped(clip) as pipe:
        check(*read(pipe))


@pytest.mark.parametrize("suffix", [".y4m", ".nut", ".ts"])
def test_other_containers_come_through_a_pipe(tmp_path, suffix):
    codec, pixels = {".y4m": ("rawvideo", "yuv420p"), ".nut": ("ffv1", "bgr0")}.get(
        suffix, ("mpeg2video", "yuv420p")
    )
    pictures = [gradient(shade=5 * i) for i in range(FRAMES)]
    kind = {".y4m": "yuv4mpegpipe", ".nut": "nut", ".ts": "mpegts"}[suffix]
    path = write_clip(tmp_path / f"x{suffix}", pictures, codec, pix_fmt=pixels, format=kind)
    with piped(path) as pipe:
        seen, heard, _ = read(pipe)
    assert len(seen) == FRAMES and not heard
    assert level_error(seen[3].picture(), pictures[3]) < 6


RAW = f"{SIZE[0]}x{SIZE[1]}:rgb24"


@pytest.mark.parametrize("how", ["pipe", "file"])
def test_pictures_without_a_container(tmp_path, how):
    pictures = [gradient(shade=5 * i) for i in range(FRAMES)]
    path = tmp_path / "pictures"
    path.write_bytes(b"".join(picture.tobytes() for picture in pictures))
    os.utime(path, (0, 0))
    if how == "pipe":
        with piped(path) as pipe:
            seen, heard, rate = read(pipe, raw=RAW, fps=Fraction(10))
    else:
        seen, heard, rate = read(path, raw=RAW, fps=Fraction(10))
    assert [item.time for item in seen] == [Fraction(i, 10) for i in range(FRAMES)] and rate == 10
    assert not heard
    assert (seen[3].picture() == pictures[3]).all()


def test_raw_pictures_that_are_not_said_right(tmp_path):
    (tmp_path / "x").write_bytes(bytes(100))
    os.utime(tmp_path / "x", (0, 0))
    for raw, words in (
        ("640x480", "write 640x480:yuv420p"), ("640x480:paint", "'paint'"), ("0x4:rgb24", "empty"),
    ):  # fmt: skip
        with pytest.raises(FacecodecError, match=words):
            open_capture(str(tmp_path / "x"), raw=raw)
    with pytest.raises(FacecodecError, match="no picture"):  # not a whole one
        list(open_capture(str(tmp_path / "x"), raw="64x48:rgb24").items())


def test_a_file_that_is_being_written_is_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("facecodec.video.source.GROWING_SECONDS", 0.5)
    pictures = [gradient(shade=5 * i) for i in range(FRAMES)]
    whole = write_clip(tmp_path / "whole.ts", pictures, "mpeg2video", format="mpegts").read_bytes()
    growing = tmp_path / "growing.ts"
    half = len(whole) // 2 // 188 * 188
    growing.write_bytes(whole[:half])

    def goes_on() -> None:
        with growing.open("ab") as file:
            for at in range(half, len(whole), 188 * 8):
                time.sleep(0.01)
                file.write(whole[at : at + 188 * 8])
                file.flush()

    writer = threading.Thread(target=goes_on)
    writer.start()
    capture = open_capture(str(growing))
    seen = [item for item in capture.items() if isinstance(item, Seen)]
    writer.join()
    capture.close()
    assert len(seen) == FRAMES
    os.utime(growing, (0, 0))
    begin = time.monotonic()
    assert len(read(growing)[0]) == FRAMES
    assert time.monotonic() - begin < 0.5  # nobody writes it, and nobody waits


def test_numbered_pictures_are_a_source(tmp_path):
    for i in range(3):
        (tmp_path / f"p{i + 1:03}.png").write_bytes(encode_png(gradient(shade=9 * i)))
    seen, heard, rate = read(tmp_path / "p%03d.png", fps=Fraction(10))
    assert [item.time for item in seen] == [0, Fraction(1, 10), Fraction(1, 5)] and rate == 10
    assert not heard
    assert (seen[2].picture() == gradient(shade=18)).all()
    with pytest.raises(UsageError, match=r"q000\.png nor q001\.png"):
        read(tmp_path / "q%03d.png")


def test_addresses_are_not_opened_unasked(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="unasked"):
        open_capture("http://127.0.0.1:9/x.mp4")
    for address in ("file:///etc/passwd", "concat://a", "data://text"):
        with pytest.raises(UsageError, match="addresses are opened by"):
            open_capture(address, addresses=True)
    with pytest.raises(FacecodecError, match="cannot be read"):
        open_capture("http://127.0.0.1:9/x.mp4", addresses=True)
    secret = write_clip(tmp_path / "secret.mkv", [gradient()], "ffv1", pix_fmt="bgr0")
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n")
    os.utime(playlist, (0, 0))
    with pytest.raises(FacecodecError, match="list of other files"):
        open_capture(str(playlist), addresses=True)
    with piped(playlist) as pipe, pytest.raises(FacecodecError, match="not a video"):
        open_capture(str(pipe), addresses=True)


def test_what_is_no_video_is_said(tmp_path):
    (tmp_path / "x.mkv").write_bytes(b"no video at all" * 100)
    os.utime(tmp_path / "x.mkv", (0, 0))
    for name in (tmp_path / "x.mkv", tmp_path / "missing.mkv"):
        with pytest.raises(FacecodecError, match=str(name)):
            open_capture(str(name))
    with pytest.raises(FacecodecError, match="camera"):
        open_capture(str(tmp_path / "nothing"), camera="v4l2")
    with pytest.raises(FacecodecError, match="camera"):
        open_capture("0", camera="avfoundation")  # not on this system
    with pytest.raises(UsageError, match="cameras"):
        open_capture("0", camera="webcam")


def test_the_newest_picture_is_taken_and_others_are_dropped(clip, monkeypatch):
    monkeypatch.setattr(reading, "MOST_PICTURES", 3)
    with CaptureThread(open_capture(str(clip))) as thread:
        taken = []
        while not thread.ended:
            got = thread.take(0.5)
            if got is not None:
                taken.append(got[0].time)
                threading.Event().wait(0.1)  # 2.5 frames
    assert taken == sorted(taken)
    assert 3 <= len(taken) < FRAMES and thread.dropped == FRAMES - len(taken)


def test_a_pause_costs_no_picture_and_being_slow_makes_none_old(clip, monkeypatch):
    with CaptureThread(open_capture(str(clip))) as thread:
        assert thread.take(1.0) is not None
        threading.Event().wait(0.25)  # six frames and a bit
        taken = 1
        while not thread.ended and taken < FRAMES // 2:
            taken += thread.take(0.5) is not None
        assert thread.dropped == 0
    monkeypatch.setattr(reading, "MOST_PICTURES", 3)
    with CaptureThread(open_capture(str(clip))) as thread:
        ages = []
        while not thread.ended:
            got = thread.take(0.5)
            if got is not None:
                ages.append(time.perf_counter() - got[1])
                threading.Event().wait(0.15)
    assert max(ages[2:], default=0.0) < 0.12 and thread.dropped


def test_every_picture_is_kept_where_that_is_asked_for(clip):
    with CaptureThread(open_capture(str(clip)), every=True) as thread:
        taken = [got[0].time for _ in range(2 * FRAMES) if (got := thread.take(0.5))]
    assert len(taken) == FRAMES and thread.dropped == 0


def test_a_file_is_shown_at_its_own_pace(clip):
    begin = time.perf_counter()
    with CaptureThread(open_capture(str(clip))) as thread:
        came = []
        while not thread.ended:
            got = thread.take(0.5)
            if got is not None:
                came.append((float(got[0].time), got[1] - begin))
    late = np.diff(np.array(came), axis=1)
    assert np.ptp(late) < 0.03 + 0.04  # as even as a busy machine lets it be
