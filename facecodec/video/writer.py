"""Video out: mp4, mkv, webm, numbered pictures, y4m or a pipe, with exact timestamps and audio."""

from __future__ import annotations

import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from facecodec.atomic import folder_whole, probe, refuse_overwrite, written_whole
from facecodec.errors import FacecodecError, UsageError
from facecodec.types import Picture
from facecodec.video.audio import AudioTrack, open_parameters
from facecodec.video.still import commented

# suffix -> (libav format, video codec, options, audio codecs the format takes)
CONTAINERS: dict[str, tuple[str, str, dict[str, str], tuple[str, ...]]] = {
    ".mp4": ("mp4", "libx264", {"crf": "17", "preset": "superfast"},
             ("aac", "mp3", "mp2", "opus", "flac", "alac", "ac3", "eac3")),
    ".mov": ("mov", "libx264", {"crf": "17", "preset": "superfast"},
             ("aac", "mp3", "mp2", "alac", "ac3", "eac3")),
    ".mkv": ("matroska", "libx264", {"crf": "17", "preset": "superfast"}, ()),
    ".webm": ("webm", "libvpx-vp9", {"crf": "24", "b:v": "0", "deadline": "realtime",
              "cpu-used": "6", "row-mt": "1"}, ("opus", "vorbis")),
}  # fmt: skip
PICTURES = ".png"
_NUMBERED = re.compile(r"((?:[^%]|%%)*)(%(?:0\d)?d)((?:[^%]|%%)*)")
OUTPUTS = "a video (.mp4, .mkv, .mov, .webm), .y4m, - or pictures such as frames/%06d.png"


class Packet(Protocol):
    """An audio packet of either the video or the bitstream room."""

    @property
    def pts(self) -> int: ...  # noqa: D102
    @property
    def dts(self) -> int: ...  # noqa: D102
    @property
    def duration(self) -> int: ...  # noqa: D102
    @property
    def data(self) -> bytes: ...  # noqa: D102


class Sink(ABC):
    """Takes frames in order and audio; a context manager that publishes only on success."""

    takes_audio = False

    @abstractmethod
    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3], at `pts` times the time base seconds."""

    def write_audio(self, packet: Packet) -> None:  # noqa: B027
        """Add an audio packet; a sink without audio drops it."""

    @abstractmethod
    def close(self) -> None:
        """Finish and publish."""

    def abort(self) -> None:  # noqa: B027
        """Give up; leave nothing behind."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def open_sink(
    output: str,
    size: tuple[int, int],
    time_base: Fraction,
    rate: Fraction | None,
    audio: AudioTrack | None = None,
    metadata: dict[str, str] | None = None,
) -> Sink:
    """Open the sink that `output` names: a path, a %d picture pattern, or "-" for y4m on stdout.

    size: width, height in pixels. time_base: seconds per unit of pts. rate: mean frame rate.
    Raises UsageError for an ending that is not known.
    """
    check_output(output)
    if output == "-":
        return Y4MSink(sys.stdout.buffer, size, rate)
    path = Path(output)
    if path.suffix.lower() == PICTURES:
        return PictureSink(path, metadata or {})
    if path.suffix.lower() == ".y4m":
        return Y4MSink(path, size, rate)
    return VideoSink(path, size, time_base, rate, audio, metadata or {})


def check_output(output: str) -> None:
    """Raise UsageError unless `output` names something that can be written."""
    path = Path(output)
    if output == "-" or path.suffix.lower() in (*CONTAINERS, ".y4m"):
        return
    if path.suffix.lower() == PICTURES:
        if _NUMBERED.fullmatch(path.name):
            return
        raise UsageError(f"{output}: pictures are numbered; name them like {path.stem}-%06d.png")
    raise UsageError(f"{output}: not an output; write to {OUTPUTS}")


def refuse_output(output: str, force: bool, inputs: Sequence[str | Path | None] = ()) -> None:
    """Raise UsageError unless `output` has a known ending and can be written, before any work.

    A series of pictures is in the way when a single picture of it is there. See
    `facecodec.atomic.refuse_overwrite` for the rest.
    """
    check_output(output)
    path = Path(output)
    if path.suffix.lower() != PICTURES:
        refuse_overwrite(output, force, inputs)
        return
    probe(path.parent, path)
    refuse_overwrite(path.with_name(numbered(path.name, 1)), force, inputs)
    if not force:
        _refuse_series(path)


def numbered(pattern: str, number: int) -> str:
    """Return the name of picture `number`: `%d` or `%06d` replaced, `%%` a percent sign."""
    return pattern % number


def _refuse_series(path: Path) -> None:
    match = _NUMBERED.fullmatch(path.name)
    assert match is not None  # check_output has seen it
    before, after = (re.escape(part.replace("%%", "%")) for part in (match[1], match[3]))
    name = re.compile(rf"{before}(\d+){after}")
    with os.scandir(path.parent) as entries:
        for entry in entries:
            found = name.fullmatch(entry.name)
            if found and numbered(path.name, int(found[1])) == entry.name:
                raise UsageError(f"{path.parent / entry.name} exists already; -f overwrites it")


class VideoSink(Sink):
    """A container written by libav."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction | None,
        audio: AudioTrack | None,
        metadata: dict[str, str],
    ) -> None:
        """See `open_sink`."""
        self.path, self.time_base = path, time_base
        kind, codec, options, audio_codecs = CONTAINERS[path.suffix.lower()]
        self._stack = ExitStack()
        temporary = self._stack.enter_context(written_whole(path))
        mux_options = {}
        if kind in ("mp4", "mov"):
            mux_options = {"movflags": "+faststart+use_metadata_tags"}
            if time_base.numerator == 1:
                mux_options["video_track_timescale"] = str(time_base.denominator)
        # as a file whatever its folder is called: "http:" may be a name too
        url = f"file:{temporary.absolute()}"
        self._out = av.open(url, "w", format=kind, options=mux_options)
        self._out.metadata.update(metadata)
        video = self._out.add_stream(codec, rate=rate or Fraction(30), options=options)
        assert isinstance(video, VideoStream)
        self._video = video
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = self._video.codec_context.time_base = time_base
        context = self._video.codec_context
        context.color_range, context.colorspace = 1, 1  # limited range, BT.709
        context.color_primaries, context.color_trc = 1, 1
        context.thread_type = "AUTO"
        self._audio: AudioStream | None = None
        self.takes_audio = audio is not None and (not audio_codecs or audio.codec in audio_codecs)
        if audio is not None and self.takes_audio:
            self._parameters = open_parameters(audio)
            self._audio = self._out.add_stream_from_template(self._parameters.streams.audio[0])
            self._audio_base = audio.time_base

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture."""
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = pts, self.time_base
        self._mux(self._video.encode(frame))

    def write_audio(self, packet: Packet) -> None:
        """Add an audio packet."""
        if self._audio is None:
            return
        out = av.Packet(packet.data)
        out.pts, out.dts, out.duration = packet.pts, packet.dts, packet.duration
        out.time_base, out.stream = self._audio_base, self._audio
        self._mux([out])

    def _mux(self, packets: list[av.Packet[Any]]) -> None:
        try:
            self._out.mux(packets)
        except (av.FFmpegError, OSError) as error:
            raise FacecodecError(f"{self.path}: cannot be written ({error})") from error

    def close(self) -> None:
        """Flush the encoder and rename the file into place."""
        try:
            self._mux(self._video.encode(None))
            self._out.close()
        except BaseException:
            self.abort()
            raise
        self._stack.close()

    def abort(self) -> None:
        """Remove what was written."""
        with suppress(av.FFmpegError, OSError, ValueError):  # the file goes away next
            self._out.close()
        self._stack.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


class PictureSink(Sink):
    """Numbered PNG files, counted from 1; timestamps are not kept, the comment is in each.

    They appear together at the end, or not at all.
    """

    def __init__(self, pattern: Path, metadata: dict[str, str]) -> None:
        """`pattern` holds one %d field in its name."""
        self.pattern, self.count, self.comment = pattern, 0, metadata.get("comment", "")
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(folder_whole(pattern.parent))

    def write(self, image: Picture, pts: int) -> None:
        """Write the next file."""
        self.count += 1
        path = self._folder / numbered(self.pattern.name, self.count)
        png = encode_png(image)
        path.write_bytes(commented(png, self.comment) if self.comment else png)

    def close(self) -> None:
        """Move the files into place."""
        self._stack.close()

    def abort(self) -> None:
        """Remove what was written."""
        self._stack.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def encode_png(image: Picture) -> bytes:
    """Return a picture, uint8 RGB [H, W, 3], as the bytes of a PNG file."""
    context = av.CodecContext.create("png", "w")
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = "rgb24", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)])


class Y4MSink(Sink):
    """YUV4MPEG2, 4:2:0, BT.709 limited range, at the mean frame rate; no audio."""

    def __init__(
        self, target: Path | BinaryIO, size: tuple[int, int], rate: Fraction | None
    ) -> None:
        """`target` is a path, or a file object that stays open."""
        self._stack = ExitStack()
        if isinstance(target, Path):
            temporary = self._stack.enter_context(written_whole(target))
            self._file: BinaryIO = self._stack.enter_context(temporary.open("wb"))
        else:
            self._file = target
        rate = (rate or Fraction(30)).limit_denominator(1_000_000)
        width, height = size
        head = f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip A1:1"
        self._file.write(f"{head} C420mpeg2 XCOLORRANGE=LIMITED\n".encode())

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture; `pts` is not kept."""
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        self._file.write(b"FRAME\n" + frame.to_ndarray().tobytes())

    def close(self) -> None:
        """Flush, and rename the file into place."""
        self._file.flush()
        self._stack.close()

    def abort(self) -> None:
        """Remove what was written."""
        self._stack.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
