"""Matroska down a pipe: each frame is there when it was written, with its colours and sound."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facecodec.errors import UsageError
from facecodec.video.matroska_sink import MatroskaSink
from facecodec.video.reader import VideoReader
from facecodec.video.writer import check_pipe_format
from tests.helpers.clips import RATE, SIZE, gradient, level_error, write_clip

BASE = Fraction(1, RATE)


def written(data: bytes):
    return av.open(io.BytesIO(data), "r", format="matroska")


def test_each_frame_can_be_read_when_it_was_written(tmp_path):
    target = tmp_path / "pipe"
    with MatroskaSink(target, SIZE, BASE, None, {"comment": "by hand"}) as sink:
        for i in range(5):
            sink.write(gradient(shade=9 * i), 10 + i)
            sink._file.flush()
            (made,) = tmp_path.iterdir()  # the temporary file: what a reader of a pipe has by now
            with written(made.read_bytes()) as container:
                frames = list(container.decode(video=0))
                assert len(frames) == i + 1
                assert frames[-1].time == pytest.approx(i / RATE)
    with written(target.read_bytes()) as container:
        assert container.metadata["COMMENT"] == "by hand"
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == SIZE
        context = stream.codec_context
        assert (context.colorspace, context.color_range) == (1, 1)
        assert (context.color_primaries, context.color_trc) == (1, 1)


def test_colours_come_back(tmp_path):
    with MatroskaSink(tmp_path / "x.mkv", SIZE, BASE, None, {}) as sink:
        sink.write(gradient(), 0)
    with VideoReader(tmp_path / "x.mkv") as reader:
        assert level_error(next(reader.frames()).image, gradient()) < 1.5


@pytest.mark.parametrize(("codec", "rate"), [("aac", 44100), ("libopus", 48000)])
@pytest.mark.parametrize("first", [0, 7])
def test_sound_is_in_step(tmp_path, codec, rate, first):
    pictures = [gradient(shade=i) for i in range(40)]
    path = write_clip(tmp_path / "in.mkv", pictures, audio=codec, rate=rate, first=first)
    with VideoReader(path) as reader:
        packets = list(reader.audio_packets())
        with MatroskaSink(tmp_path / "out.mkv", SIZE, reader.time_base, reader.audio, {}) as sink:
            assert sink.takes_audio
            for packet in packets[:5]:
                sink.write_audio(packet)
            for frame in reader.frames():
                sink.write(frame.image, frame.pts)
            for packet in packets[5:]:
                sink.write_audio(packet)
    samples, begin = [], None
    with av.open(str(tmp_path / "out.mkv")) as container:
        resampler = av.AudioResampler("flt", "mono", rate)
        for heard in container.decode(audio=0):
            begin = float(heard.time) if begin is None else begin
            heard.pts = None
            samples += [f.to_ndarray()[0] for f in resampler.resample(heard)]
    wave = np.concatenate(samples)
    times = begin + np.arange(len(wave)) / rate
    turned = np.exp(-2j * np.pi * 440 * times) @ (wave * (times > 0.3) * (times < 1.2))
    assert abs(np.angle(turned) + np.pi / 2) / (2 * np.pi * 440) < 0.001
    with VideoReader(tmp_path / "out.mkv") as reader:
        assert reader.begin == 0


def test_a_format_is_for_a_pipe():
    check_pipe_format("-", "matroska")
    check_pipe_format("a.mp4", None)
    with pytest.raises(UsageError, match="nut"):
        check_pipe_format("-", "nut")
    with pytest.raises(UsageError, match=r"a\.mp4"):
        check_pipe_format(str(Path("a.mp4")), "matroska")
