"""Outputs without sound: numbered pictures, and YUV4MPEG2 in a file or down a pipe."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av

from facecodec.atomic import STANDARD_OUTPUT, abandon, folder_whole, opened_whole
from facecodec.pipe import PipeWriter
from facecodec.types import Picture
from facecodec.video.sink import Sink, readable_errors
from facecodec.video.still import commented, encode_png


def numbered(pattern: str, number: int) -> str:
    """Return the name of picture `number`: `%d` or `%06d` replaced, `%%` a percent sign."""
    return pattern % number


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
        """Write a picture, uint8 RGB [H, W, 3], as the next file."""
        self.count += 1
        path = self._folder / numbered(self.pattern.name, self.count)
        png = encode_png(image)
        with readable_errors(self.pattern):
            path.write_bytes(commented(png, self.comment) if self.comment else png)

    def close(self) -> None:
        """Move the files into place."""
        self._stack.close()

    def abort(self) -> None:
        """Remove what was written."""
        abandon(self._stack)


class Y4MSink(Sink):
    """YUV4MPEG2, 4:2:0, limited range, at the mean frame rate; no audio.

    The format cannot name its matrix, and its readers take it for BT.601: so that is what it is.
    """

    def __init__(self, target: Path, size: tuple[int, int], rate: Fraction | None) -> None:
        """`target` is a path, or - for standard output."""
        self._stack = ExitStack()
        self._path = None if str(target) == STANDARD_OUTPUT else target
        self._file = self._stack.enter_context(opened_whole(target))
        rate = (rate or Fraction(30)).limit_denominator(1_000_000)
        width, height = size
        head = f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip A1:1"
        self._file.write(f"{head} C420mpeg2 XCOLORRANGE=LIMITED\n".encode())

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3]; `pts` is not stored."""
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="MPEG")
        coded = b"FRAME\n" + frame.to_ndarray().tobytes()
        if self._path is None:  # who reads a pipe may go away: that is no failure to write
            self._file.write(coded)
            return
        with readable_errors(self._path):
            self._file.write(coded)

    def close(self) -> None:
        """Flush, and rename the file into place."""
        self._file.flush()
        self._stack.close()

    def cancel(self) -> None:
        """End a write that waits for a reader."""
        if isinstance(self._file, PipeWriter):
            self._file.stop()

    def abort(self) -> None:
        """Remove what was written."""
        abandon(self._stack)
