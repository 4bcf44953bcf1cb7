"""Video in and out: exact timestamps, audio untouched, nothing half-written."""

from __future__ import annotations

import io
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facecodec.errors import FacecodecError, UsageError
from facecodec.video.reader import VideoReader
from facecodec.video.writer import Y4MSink, check_output, encode_png, open_sink
from tests.helpers.clips import read_picture

SIZE = (64, 48)
NTSC_FILM = Fraction(24000, 1001)


def picture(i: int) -> np.ndarray:
    """A grey picture whose brightness says which it is."""
    return np.full((SIZE[1], SIZE[0], 3), 20 + 15 * i, np.uint8)


def write(path: Path, stamps: list[int], base: Fraction, rate: Fraction | None) -> None:
    with open_sink(str(path), SIZE, base, rate) as sink:
        for i, pts in enumerate(stamps):
            sink.write(picture(i), pts)


def read(path: Path) -> tuple[list[Fraction], list[int]]:
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        return [f.pts * reader.time_base for f in frames], [int(f.image.mean()) for f in frames]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_film_rate_is_exact(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    write(path, [1001 * i for i in range(8)], Fraction(1, 24000), NTSC_FILM)
    times, levels = read(path)
    assert times == [i / NTSC_FILM for i in range(8)]
    assert levels == pytest.approx([20 + 15 * i for i in range(8)], abs=3)
    with VideoReader(path) as reader:
        assert reader.rate == NTSC_FILM


def test_variable_rate_is_kept(tmp_path):
    stamps = [0, 40, 50, 170, 171, 900]
    write(tmp_path / "vfr.mp4", stamps, Fraction(1, 1000), None)
    times, _ = read(tmp_path / "vfr.mp4")
    assert times == [Fraction(s, 1000) for s in stamps]


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_rounds_to_its_millisecond(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    write(path, [1001 * i for i in range(5)], Fraction(1, 24000), NTSC_FILM)
    times, _ = read(path)
    assert [float(t) for t in times] == pytest.approx(
        [float(i / NTSC_FILM) for i in range(5)], abs=0.00051
    )


def test_a_span_of_the_source(sample):
    with VideoReader(sample) as reader:
        every = [f.pts for f in reader.frames()]
        part = [f.pts for f in reader.frames(Fraction(1), Fraction(2))]
        few = [f.pts for f in reader.frames(Fraction(1), max_frames=3)]
    assert len(every) == 125
    assert part == every[25:50]
    assert few == every[25:28]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_audio_packets_are_copied(tmp_path, sample, suffix):
    path = tmp_path / f"copy{suffix}"
    with VideoReader(sample) as reader:
        packets = list(reader.audio_packets())
        with open_sink(str(path), SIZE, Fraction(1, 25), Fraction(25), reader.audio) as sink:
            assert sink.takes_audio
            for i in range(125):
                sink.write(picture(i % 10), i)
            for packet in packets:
                sink.write_audio(packet)
    with VideoReader(path) as reader:
        copied = list(reader.audio_packets())
        assert [p.data for p in copied] == [p.data for p in packets]
        assert reader.audio is not None and reader.audio.codec == "aac"


def test_numbered_pictures(tmp_path):
    with open_sink(str(tmp_path / "%03d.png"), SIZE, Fraction(1, 25), None) as sink:
        for i in range(3):
            sink.write(picture(i), i)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["001.png", "002.png", "003.png"]
    assert (read_picture(tmp_path / "002.png") == picture(1)).all()


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "%d.png"])
def test_a_comment_is_kept(tmp_path, name):
    path = str(tmp_path / name)
    comment = "synthetic: made here"
    with open_sink(path, SIZE, Fraction(1, 25), None, None, {"comment": comment}) as sink:
        sink.write(picture(0), 0)
    with av.open(path.replace("%d", "1")) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == SIZE
        kept = {key.lower(): text for key, text in container.metadata.items()}
    if name.endswith(".png"):
        assert b"tEXtComment\0synthetic: made here" in (tmp_path / "1.png").read_bytes()
    else:
        assert kept["comment"] == comment


def test_png_is_lossless(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    (tmp_path / "n.png").write_bytes(encode_png(noise))
    assert (read_picture(tmp_path / "n.png") == noise).all()


def test_y4m_header_and_length(tmp_path):
    path = tmp_path / "film.y4m"
    write(path, [0, 1001], Fraction(1, 24000), NTSC_FILM)
    data = path.read_bytes()
    head = data[: data.index(b"\n")]
    assert head.startswith(b"YUV4MPEG2 W64 H48 F24000:1001 ")
    assert len(data) == len(head) + 1 + 2 * (len(b"FRAME\n") + 64 * 48 * 3 // 2)
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2


def test_a_pipe_gets_y4m(monkeypatch):
    pipe = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", pipe)
    with open_sink("-", SIZE, Fraction(1, 25), Fraction(25)) as sink:
        assert isinstance(sink, Y4MSink)
        sink.write(picture(0), 0)
    assert not pipe.buffer.closed
    assert pipe.buffer.getvalue().startswith(b"YUV4MPEG2 W64 H48 F25:1 ")


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.webm", "x.y4m"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_half_written(tmp_path, name, error):
    with (
        pytest.raises(error),
        open_sink(str(tmp_path / name), SIZE, Fraction(1, 25), Fraction(25)) as sink,
    ):
        sink.write(picture(0), 0)
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.avi", "x", "%s.png", "%d%d.png"])
def test_unknown_outputs_are_refused(name):
    with pytest.raises(UsageError, match=r"not an output|pictures are numbered"):
        check_output(name)


def test_bad_inputs_have_one_line(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        VideoReader(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("this is no video")
    with pytest.raises(FacecodecError, match="not a video"):
        VideoReader(tmp_path / "text.mp4")
