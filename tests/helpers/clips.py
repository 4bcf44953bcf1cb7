"""Tiny clips and sounds, made as they are needed, with what cameras and recorders do to theirs."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.stream import Disposition

from facecodec.types import Picture
from facecodec.video.reader import VideoReader
from facecodec.video.source import AnyPacket

SIZE = (64, 48)
RATE = 25


def gradient(size: tuple[int, int] = SIZE, shade: int = 0) -> Picture:
    """A smooth picture that looks different each way it is turned or mirrored."""
    x = np.linspace(0, 1, size[0])[None, :]
    y = np.linspace(0, 1, size[1])[:, None]
    planes = [60 + 120 * x + 0 * y, 60 + 120 * y + 0 * x, 60 + 100 * x * y]
    return (np.stack(planes, -1) + shade).round().astype(np.uint8)


def coded(
    pictures: Iterable[Picture], codec: str, settings: dict[str, Any], pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> list[AnyPacket]:  # fmt: skip
    """Pictures of one size as the packets of a codec, one time unit each."""
    context = cast(av.VideoCodecContext, av.CodecContext.create(codec, "w"))
    pictures = list(pictures)
    context.height, context.width = pictures[0].shape[:2]
    context.pix_fmt, context.time_base = pix_fmt, Fraction(1, RATE)
    context.options = options or {}
    for name, value in settings.items():
        setattr(context, name, value)
    packets = []
    for i, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
        frame.pts, frame.time_base = i, Fraction(1, RATE)
        packets += context.encode(frame)
    return packets + context.encode(None)


@dataclass(frozen=True)
class Recording:
    """How a clip is recorded: container and video, sound, times."""

    format: str | None = None  # the file name's
    pix_fmt: str = "yuv420p"
    settings: dict[str, Any] = field(default_factory=dict)  # of the codec's context
    options: dict[str, str] = field(default_factory=dict)  # of the encoder
    mux: dict[str, str] = field(default_factory=dict)  # of the container
    disposition: int | None = None
    audio: str | None = None  # codec of a tone
    rate: int = 44100
    layout: str = "mono"
    first: int = 0  # time of the first picture, in 1/25 s
    stamps: Sequence[int] | None = None  # times of all pictures instead


def write_clip(
    path: Path, pictures: Sequence[Picture], codec: str = "libx264", **given: Any
) -> Path:
    """Write pictures, 25 a second, and a tone; given: the fields of `Recording`."""
    how = Recording(**given)
    with av.open(str(path), "w", format=how.format, options=how.mux) as out:
        video = cast(av.VideoStream, out.add_stream(codec, rate=RATE, options=how.options))
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = how.pix_fmt
        for name, value in how.settings.items():
            setattr(video.codec_context, name, value)
        if how.disposition is not None:
            video.disposition = Disposition(how.disposition)
        sound = None
        if how.audio:
            strict = {"strict": "experimental"} if how.audio == "vorbis" else {}
            added = out.add_stream(how.audio, rate=how.rate, layout=how.layout, options=strict)
            sound = cast(av.AudioStream, added)
        for i, picture in enumerate(pictures):
            if picture.dtype == np.uint8:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(format=how.pix_fmt)
            else:
                frame = av.VideoFrame.from_ndarray(picture, format="yuv444p16le")
                frame = frame.reformat(format=how.pix_fmt)
            frame.pts = how.stamps[i] if how.stamps else how.first + i
            frame.time_base = Fraction(1, RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            seconds = len(pictures) / RATE
            for heard in tone(seconds, how.rate, how.layout, Fraction(how.first, RATE)):
                out.mux(sound.encode(heard))
            out.mux(sound.encode(None))
    os.utime(path, (0, 0))  # long ago: nobody waits for more of it
    return path


def tone(
    seconds: float, rate: int = 44100, layout: str = "mono", begin: Fraction = Fraction(0)
) -> list[av.AudioFrame]:
    """A sine of 440 Hz, in frames of 1024 samples."""
    frames, step = [], 1024
    channels = len(av.AudioLayout(layout).channels)
    for at in range(0, int(seconds * rate), step):
        wave = 8000 * np.sin(2 * np.pi * 440 * (np.arange(step) + at) / rate)
        samples = np.repeat(wave.astype(np.int16)[:, None], channels, 1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = rate
        frame.pts, frame.time_base = at + round(begin * rate), Fraction(1, rate)
        frames.append(frame)
    return frames


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write a display matrix into the video track of an MP4 file."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    data[at : at + 36] = matrix
    path.write_bytes(bytes(data))


def read_picture(path: Path) -> Picture:
    """A picture file, or the first frame of a video."""
    with VideoReader(path) as reader:
        return next(reader.frames(max_frames=1)).image


def level_error(a: Picture, b: Picture) -> float:
    """The mean difference of two pictures, in levels."""
    return float(np.abs(a.astype(int) - b.astype(int)).mean())
