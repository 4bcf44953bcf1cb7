"""Pictures without any container: what a pipe of them has to be told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from av.video.format import VideoFormat

from facecodec.errors import UsageError
from facecodec.picture_limits import check_picture_size

FORMAT = "rawvideo"  # libav's name
_WORDS = re.compile(r"(\d{1,5})x(\d{1,5}):(\w{1,32})", re.ASCII)


@dataclass(frozen=True)
class RawPictures:
    """Pictures one after the other: width and height in pixels, libav's name of their pixels, rate.

    fps: frames a second.
    """

    width: int
    height: int
    pixels: str
    fps: Fraction

    @classmethod
    def of(cls, text: str, fps: Fraction) -> RawPictures:
        """Return what `640x480:yuv420p` says. Raises UsageError for anything else, and no rate."""
        match = _WORDS.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} are no raw pictures; write 640x480:yuv420p", argument="raw")
        try:
            pixels = VideoFormat(match[3]).name
        except ValueError as error:
            raise UsageError(f"no pixels {match[3]!r} are known", argument="raw") from error
        if fps <= 0:
            raise UsageError(f"raw pictures need frames a second, not {fps}", argument="fps")
        width, height = int(match[1]), int(match[2])
        check_picture_size(width, height, "raw pictures")
        return cls(width, height, pixels, fps)

    @property
    def options(self) -> dict[str, str]:
        """Return libav's options for opening them."""
        return {
            "video_size": f"{self.width}x{self.height}",
            "pixel_format": self.pixels,
            "framerate": f"{self.fps.numerator}/{self.fps.denominator}",
        }
