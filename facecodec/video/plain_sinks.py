"""Outputs without sound: pictures, and YUV4MPEG2 in a file or down a pipe."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from facecodec.atomic import abandon, folder_whole
from facecodec.types import Picture
from facecodec.video.byte_sink import ByteSink
from facecodec.video.colour import BT601, from_rgb
from facecodec.video.sink import Sink, readable_errors
from facecodec.video.still import encode_still

NUMBERED = re.compile(r"((?:[^%]|%%)*)(%(?:0\d)?d)((?:[^%]|%%)*)")


def series_of(pattern: Path) -> list[tuple[int, Path]]:
    """Return the files there are of a series, with their numbers.

    pattern: with one %d field in its name, in a folder that there is.
    """
    match = NUMBERED.fullmatch(pattern.name)
    assert match is not None  # whoever chose the sink has seen it
    before, after = (re.escape(part.replace("%%", "%")) for part in (match[1], match[3]))
    with os.scandir(pattern.parent) as entries:
        names = [entry.name for entry in entries]
    found = []
    for name in names:
        digits = re.fullmatch(rf"{before}(\d+){after}", name)
        if digits is not None and numbered(pattern.name, int(digits[1])) == name:
            found.append((int(digits[1]), pattern.parent / name))
    return found


def numbered(pattern: str, number: int) -> str:
    """Return the name of picture `number`: `%d` or `%06d` replaced, `%%` a percent sign."""
    return pattern % number


class PictureSink(Sink):
    """Numbered PNG or JPEG files, counted from 1; timestamps are not kept, the comment is in each.

    They appear together at the end, or not at all; the folder they go to is made. Those of a longer
    series that was there before are removed.
    """

    def __init__(self, pattern: Path, metadata: dict[str, str]) -> None:
        """`pattern` holds one %d field in its name."""
        self.pattern, self.count, self.comment = pattern, 0, metadata.get("comment", "")
        self._stack = ExitStack()
        with readable_errors(pattern):
            pattern.parent.mkdir(parents=True, exist_ok=True)
        self._folder = self._stack.enter_context(folder_whole(pattern.parent))

    def write(self, image: Picture, pts: int) -> None:
        """Write a picture, uint8 RGB [H, W, 3], as the next file."""
        self.count += 1
        path = self._folder / numbered(self.pattern.name, self.count)
        with readable_errors(self.pattern):
            path.write_bytes(encode_still(image, path.suffix, self.comment))

    def close(self) -> None:
        """Move the files into place."""
        self._stack.close()
        for number, path in series_of(self.pattern):
            if number > self.count and path.is_file() and not path.is_symlink():
                path.unlink()

    def abort(self) -> None:
        """Remove what was written."""
        abandon(self._stack)


class StillSink(ByteSink):
    """One PNG or JPEG file: the first picture; those after it are left out."""

    def __init__(self, target: Path, metadata: dict[str, str]) -> None:
        """`target` is the file."""
        super().__init__(target)
        self._suffix, self._comment = target.suffix, metadata.get("comment", "")
        self._written = False

    def write(self, image: Picture, pts: int) -> None:
        """Write the first picture, uint8 RGB [H, W, 3]."""
        if not self._written:
            self.put(encode_still(image, self._suffix, self._comment))
            self._written = True


class Y4MSink(ByteSink):
    """YUV4MPEG2, 4:2:0, limited range, at the mean frame rate; no audio.

    The format cannot name its matrix, and its readers take it for BT.601: so that is what it is.
    """

    def __init__(self, target: Path, size: tuple[int, int], rate: Fraction | None) -> None:
        """`target` is a path, or - for standard output."""
        super().__init__(target)
        rate = (rate or Fraction(30)).limit_denominator(1_000_000)
        width, height = size
        head = f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip A1:1"
        self.put(f"{head} C420mpeg2 XCOLORRANGE=LIMITED\n".encode())

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3]; `pts` is not stored."""
        frame = from_rgb(image, "yuv420p", BT601)
        self.put(b"FRAME\n" + frame.to_ndarray().tobytes())
