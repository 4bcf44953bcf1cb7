"""Opening a video file that nobody vouches for: by its content, and never more than that file.

libav would otherwise take a name for an address or a pattern, and a playlist for leave to open
other files. A file that still grows is read as long as it was when it was opened first, or, where
it is read once, followed until nothing more comes.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import av
from av.container import InputContainer
from av.stream import Stream

from facecodec.atomic import scratch_folder
from facecodec.bitstream.container.chunks import IDENTITY_MAGIC, STREAM_MAGIC
from facecodec.errors import FacecodecError, UsageError
from facecodec.video.raw import FORMAT, RawPictures

# libav's formats that hold one clip in one file, by its names; pictures are in video/picture.py
FORMATS = (
    "3g2 3gp m4a mj2 apng asf asf_o av1 avi avs avs2 avs3 cavsvideo dirac dnxhd dv evc ffvhuff "
    "flv gif gxf h261 h263 h264 hevc iamf ivf ivr kux live_flv m4v matroska mjpeg mjpeg_2000 "
    "mlv mov mp4 mpeg mpegts mpegvideo mpjpeg mtv mv mxf mxg nsv nut nuv obu ogg pva rm swf ty "
    "vc1 vc1test vvc webm wtv yuv4mpegpipe "
    # stills that Pillow leaves to libav
    "bmp_pipe dpx_pipe exr_pipe hdr_pipe jpeg_pipe jpegxl_pipe j2k_pipe jpegls_pipe pam_pipe "
    "pbm_pipe pcx_pipe pgm_pipe png_pipe ppm_pipe qoi_pipe tiff_pipe webp_pipe "
    # sound alone, to say that it is no video
    "aac ac3 aiff alac amr ape caf dts eac3 flac mp3 tta w64 wav wv "
)
AnyPacket: TypeAlias = "av.Packet[Any]"

STANDARD_INPUT = "-"
BUFFER_BYTES = 1 << 18  # bytes read at once
# A file that is read once is at its end where nothing was added for so long.
GROWING_SECONDS = 2.0
POLL_SECONDS = 0.02
LOCAL_OPTIONS = {
    "format_whitelist": ",".join(FORMATS.split()),
    "protocol_whitelist": "none",
}


class PinnedFile:
    """A file for libav to read that ends where it ended when its length was taken."""

    def __init__(self, path: Path, size: int) -> None:
        """`size`: bytes of the file that may be read."""
        self._file = path.open("rb")
        self._size = size

    def read(self, count: int = -1) -> bytes:
        """Return at most `count` bytes."""
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if count < 0 else min(count, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset and return it; from the end means from the pinned one."""
        if whence == io.SEEK_END:
            offset, whence = self._size + offset, io.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return self._file.tell()

    def facts(self) -> os.stat_result:
        """Return what the system knows of the file as it is now."""
        return os.fstat(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class GrowingFile(PinnedFile):
    """A file for libav to read that is followed for as long as somebody writes it."""

    def read(self, count: int = -1) -> bytes:
        """Return at most `count` bytes; none once nothing has been added for GROWING_SECONDS."""
        while not (data := self._file.read(count)):
            if time.time() - self.facts().st_mtime > GROWING_SECONDS:
                break
            time.sleep(POLL_SECONDS)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset and return it; from the end means from where it is now."""
        return self._file.seek(offset, whence)


class Source:
    """A file on the disk that is opened several times, each time with the same length.

    What comes from standard input is copied to one first. path: what errors call it; file: what is
    read.
    """

    def __init__(self, path: Path, raw: RawPictures | None = None) -> None:
        """`raw`: what it holds, where that is pictures without a container.

        Raises UsageError when it is missing, no regular file, or one of this project's.
        """
        self.path, self._raw = path, raw
        try:
            if str(path) == STANDARD_INPUT:
                path = self._copied()
            if not path.exists():
                raise UsageError(f"{path}: no such file")
            if path.is_dir():
                raise UsageError(f"{path}: is a folder; name a video")
            if not path.is_file():
                raise UsageError(f"{path}: is no regular file, and it has to be read several times")
            self.file = path
            with path.open("rb") as file:
                facts = os.fstat(file.fileno())
                self.size, self._same = facts.st_size, (facts.st_dev, facts.st_ino)
                self.head = file.read(4096)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: cannot be read ({reason(error)})") from error
        if not self.head:
            raise FacecodecError(f"{path}: is empty")
        self._refuse_own_kinds()

    def _copied(self) -> Path:
        """Return a copy of what comes from standard input; it is removed with this source."""
        self.path = Path("standard input")
        if sys.stdin is None:
            raise UsageError("standard input is closed: there is no video to read")
        stack = ExitStack()
        copy = stack.enter_context(scratch_folder()) / "video"
        weakref.finalize(self, stack.close)
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return copy

    def open(self, growing: bool = False) -> tuple[InputContainer, PinnedFile]:
        """Open the container; both are to be closed. growing: follow a file that is being written.

        Raises FacecodecError when it is no video, or no more the file that it was.
        """
        try:
            file = (GrowingFile if growing else PinnedFile)(self.file, self.size)
        except OSError as error:
            raise FacecodecError(f"{self.path}: cannot be read ({reason(error)})") from error
        facts = file.facts()
        if (facts.st_dev, facts.st_ino) != self._same or facts.st_size < self.size:
            file.close()
            raise FacecodecError(f"{self.path}: was replaced or cut short while it was read")
        try:
            container = opened(file, self._raw, self._refuse_to_open)
        except (av.FFmpegError, OSError, ValueError, OverflowError, LookupError) as error:
            file.close()
            raise FacecodecError(f"{self.path}: {self._why(error)}") from error
        return container, file

    def _why(self, error: BaseException) -> str:
        text = self.head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if text.startswith((b"#EXTM3U", b"ffconcat", b"<MPD", b"[playlist]", b"v=0\r\n")):
            return "is a list of other files; name one of them"
        if b"<svg" in text[:2048]:
            return "is a drawing (SVG), not a video; export it as PNG"
        return f"not a video that can be read ({reason(error)})"

    def _refuse_to_open(self, *_: Any) -> NoReturn:
        raise FacecodecError(f"{self.path}: asks for another file, which is not opened")

    def _refuse_own_kinds(self) -> None:
        if self.head.startswith(STREAM_MAGIC):
            raise UsageError(
                f"{self.path}: is a facecodec stream already; decode it to get a video"
            )
        if self.head.startswith(IDENTITY_MAGIC):
            raise UsageError(f"{self.path}: is an identity file, a person without a clip")


def opened(file: Any, raw: RawPictures | None, refuse: Callable[..., NoReturn]) -> InputContainer:
    """Return the container that a file object holds; `refuse` is called where it names others."""
    options, form = LOCAL_OPTIONS, None
    if raw is not None:
        form = FORMAT
        options = LOCAL_OPTIONS | {"format_whitelist": FORMAT} | raw.options
    container: InputContainer = av.open(
        file, "r", format=form, container_options=options, metadata_errors="replace",
        buffer_size=BUFFER_BYTES, io_open=refuse,
    )  # fmt: skip
    return container


_CODES = re.compile(r"\s*\[Errno -?\d+\]\s*|\S*\(\) returned -?\d+|\berror -?\d{3,}\b")


def reason(error: BaseException) -> str:
    """Return why libav or the system failed, in words, without the numbers of its errors."""
    text = getattr(error, "strerror", None) or str(error)
    words = _CODES.sub("", str(text).split("\n")[0]).strip(" :;")
    return words[:1].lower() + words[1:] if words else "the decoder refuses it"


def demuxed(container: InputContainer, *streams: Stream) -> Iterator[AnyPacket]:
    """Yield the packets of some tracks, and last an empty one for each, up to what is broken."""
    flushed = False
    while not flushed:
        try:
            for packet in container.demux(*streams):
                flushed = flushed or not packet.size
                yield packet
            return
        except IndexError:
            continue  # a track that was not there when the file was opened: chained Ogg
        except (av.FFmpegError, OSError):
            break
    if not flushed:
        for stream in streams:
            end = av.Packet()
            end.stream = stream
            yield end
