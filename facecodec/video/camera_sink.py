"""A virtual camera: a v4l2 loopback device that other programs read pictures from (Linux)."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from facecodec.errors import FacecodecError
from facecodec.types import Picture
from facecodec.video.colour import BT601, from_rgb
from facecodec.video.sink import Sink, readable_errors
from facecodec.video.source import reason

VIDEO_DEVICE_MAJOR = 81  # the number of Video4Linux among Linux's devices


def is_video_device(path: Path) -> bool:
    """Return whether a path leads to a camera, or to what passes for one."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(facts.st_mode) and os.major(facts.st_rdev) == VIDEO_DEVICE_MAJOR


class CameraSink(Sink):
    """Shows pictures through a device such as /dev/video9, as they come; no sound.

    YUV 4:2:0 of BT.601, limited range: what readers take a camera's pictures for.
    """

    def __init__(self, device: Path, size: tuple[int, int], rate: Fraction | None) -> None:
        """Raises FacecodecError for a device that takes no pictures, such as a real camera."""
        self.path, self._frames = device, 0
        try:
            self._out: OutputContainer = av.open(str(device), "w", format="v4l2")
            video = self._out.add_stream("rawvideo", rate=rate or Fraction(30))
            assert isinstance(video, VideoStream)
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
            self._video = video
        except (av.FFmpegError, OSError, ValueError) as error:
            raise FacecodecError(
                f"{device}: shows no pictures ({reason(error)}); a virtual camera is made by the "
                "kernel module v4l2loopback"
            ) from error

    def write(self, image: Picture, pts: int) -> None:
        """Show a picture, uint8 RGB [H, W, 3]; `pts` is not passed on."""
        frame = from_rgb(image, "yuv420p", BT601)
        frame.pts = self._frames
        self._frames += 1
        with readable_errors(self.path):
            self._out.mux(self._video.encode(frame))

    def close(self) -> None:
        """Leave the device."""
        with readable_errors(self.path):
            self._out.close()

    def abort(self) -> None:
        """Leave the device."""
        with suppress(av.FFmpegError, OSError, ValueError):
            self._out.close()
