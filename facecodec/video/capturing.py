"""Which source a name stands for: a camera, a pipe, a file, numbered pictures, an address."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import av
from av.container import InputContainer

from facecodec.arguments import is_pipe
from facecodec.errors import FacecodecError, UsageError
from facecodec.video.camera_sink import is_video_device
from facecodec.video.capture import Capture, Captured, ContainerCapture, Seen
from facecodec.video.raw import RawPictures
from facecodec.video.reader import USUAL_RATE
from facecodec.video.series import SeriesReader, is_series
from facecodec.video.source import (
    FORMATS,
    STANDARD_INPUT,
    Source,
    opened,
    reason,
)

CAMERAS = ("v4l2", "avfoundation", "dshow")  # libav's names: Linux, macOS, Windows
# Protocols that an address may be opened by; none of them opens a file of this machine.
PROTOCOLS = ("http", "https", "tcp", "tls", "udp", "rtp", "rtsp", "rtmp", "srt", "httpproxy")
STREAMED_FORMATS = ("rtsp", "sdp", "rtp")  # those of addresses alone
OPEN_SECONDS = 10  # that an address has to answer in
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def open_capture(
    name: str,
    *,
    camera: str | None = None,
    size: tuple[int, int] | None = None,
    fps: Fraction | None = None,
    addresses: bool = False,
    sound: bool = True,
    raw: str | None = None,
) -> Capture:
    """Open a source of pictures that is read once, as they come.

    name: '-' for standard input or a named pipe, with any container that libav knows by its
    content; a video file; numbered pictures (`frames/%06d.png`); a camera, `/dev/video0` or what
    `camera` ('v4l2', 'avfoundation' or 'dshow') calls one; an address such as rtsp://host/path,
    if `addresses` are allowed. A file that is being written is followed until nothing has been
    added for two seconds. size: width and height that a camera is asked for. fps: its frames a
    second, or those of pictures. sound: whether it is wanted. raw: size and pixels of pictures
    without a container, `640x480:yuv420p`, that come from a file or a pipe.
    Raises UsageError for a name that is nothing of this, FacecodecError for what is no video.
    """
    path = Path(name)
    if camera is not None or is_video_device(path):
        return _camera(name, camera or "v4l2", size, fps)
    bare = None if raw is None else RawPictures.of(raw, fps or USUAL_RATE)
    if name == STANDARD_INPUT or is_pipe(path):
        return _pipe(name, sound, bare)
    address = _ADDRESS.match(name)
    if address and not path.exists():
        return _address(name, address[1].lower(), addresses, sound)
    if is_series(path):
        return Series(path, fps or USUAL_RATE)
    container, file = Source(path, bare).open(growing=True)
    return _captured(container, name, sound, file.close, bare)


def _camera(
    name: str, kind: str, size: tuple[int, int] | None, fps: Fraction | None
) -> ContainerCapture:
    if kind not in CAMERAS:
        raise UsageError(f"no cameras {kind!r}; there are: {', '.join(CAMERAS)}", argument="camera")
    options = {}
    if size is not None:
        options["video_size"] = f"{size[0]}x{size[1]}"
    if fps is not None:
        options["framerate"] = f"{fps.numerator}/{fps.denominator}"
    try:
        container = av.open(name, "r", format=kind, options=options)
    except (av.FFmpegError, OSError, ValueError, LookupError) as error:
        raise FacecodecError(
            f"{name}: not a camera that can be read by {kind} ({reason(error)})"
        ) from error
    return ContainerCapture(container, name, paced=True, sound=False)


class _PipeReader:
    """A pipe for libav to read: what has come, without waiting for more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, count: int) -> bytes:
        """Return at most `count` bytes, none at the end."""
        return os.read(self._descriptor, count)


def _pipe(name: str, sound: bool, raw: RawPictures | None) -> ContainerCapture:
    called = "standard input" if name == STANDARD_INPUT else name
    try:
        own = None if name == STANDARD_INPUT else os.open(name, os.O_RDONLY)
        if own is None and sys.stdin is None:
            raise UsageError("standard input is closed: there is no video to read")
        descriptor = sys.stdin.fileno() if own is None else own
    except (OSError, ValueError) as error:
        raise UsageError(f"{called}: cannot be read ({reason(error)})") from error

    def refuse(*_: Any) -> NoReturn:
        raise FacecodecError(f"{called}: asks for another file, which is not opened")

    def close() -> None:
        if own is not None:
            os.close(own)

    try:
        container = opened(_PipeReader(descriptor), raw, refuse)
    except (av.FFmpegError, OSError, ValueError, OverflowError, LookupError) as error:
        close()
        raise FacecodecError(f"{called}: not a video that can be read ({reason(error)})") from error
    return _captured(container, called, sound, close, raw)


def _captured(
    container: InputContainer,
    called: str,
    sound: bool,
    close: Callable[[], None],
    raw: RawPictures | None,
) -> ContainerCapture:
    """Return what an open container holds; of raw pictures only their options know the rate."""
    made = ContainerCapture(container, called, sound=sound, close=close)
    made.rate = made.rate if raw is None else raw.fps
    return made


def _address(name: str, scheme: str, allowed: bool, sound: bool) -> ContainerCapture:
    if not allowed:
        raise UsageError(f"{name}: is an address, and none is opened unasked", argument="url")
    if scheme not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise UsageError(f"{name}: addresses are opened by {known}, not {scheme}", argument="url")
    options = {
        "format_whitelist": ",".join((*FORMATS.split(), *STREAMED_FORMATS)),
        "protocol_whitelist": ",".join(PROTOCOLS),
    }
    try:
        container = av.open(
            name, "r", container_options=options, metadata_errors="replace",
            timeout=(OPEN_SECONDS, None),
        )  # fmt: skip
    except (av.FFmpegError, OSError, ValueError, LookupError) as error:
        raise FacecodecError(f"{name}: cannot be read ({reason(error)})") from error
    return ContainerCapture(container, name, sound=sound)


class Series:
    """Numbered pictures, which are shown at the pace that they are given."""

    channels: int | None = None
    paced = False

    def __init__(self, pattern: Path, fps: Fraction) -> None:
        """Raises UsageError where there is no first picture."""
        self.name, self.rate = str(pattern), fps
        self._reader = SeriesReader(pattern, fps)

    def items(self) -> Iterator[Captured]:
        """Yield the pictures in order."""
        for index in range(self._reader.frame_count or 0):
            yield Seen(index / self.rate, partial(self._reader.picture, index))

    def close(self) -> None:
        """Nothing is held open."""
