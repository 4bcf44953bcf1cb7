"""Moving pictures for pages and messages: GIF and WebP, by Pillow."""

from __future__ import annotations

import io
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facecodec.atomic import abandon, opened_whole
from facecodec.errors import FacecodecError
from facecodec.types import Picture
from facecodec.video.sink import Sink, readable_errors

ENDINGS = (".gif", ".webp")
COLOURS = 256  # of a GIF's frame
UNIT = {".gif": 10, ".webp": 1}  # milliseconds of which a frame's time is a multiple
SHORTEST_GIF = 20  # milliseconds: browsers show what is shorter as if it were 100
WEBP = {"quality": 85, "method": 3}
MOST_BYTES = 1 << 31  # of frames that are held, since both formats are written at the end


class MovingPictureSink(Sink):
    """Holds frames and writes them at the end, looped for ever; no sound.

    A GIF's frames have 256 colours each, dithered; its times are multiples of 10 ms, and frames
    that come faster than every 20 ms are left out.
    """

    def __init__(
        self, path: Path, time_base: Fraction, rate: Fraction | None, comment: str
    ) -> None:
        """path: of the file, .gif or .webp. rate: how long the last frame is shown, by 1 / rate."""
        self.path, self._base, self._comment = path, time_base, comment
        self._last = 1000 / rate if rate else Fraction(40)  # milliseconds
        self._kind = path.suffix.lower()
        self._frames: list[Image.Image] = []
        self._times: list[Fraction] = []  # milliseconds
        self._bytes = 0
        self._stack = ExitStack()
        self._file = self._stack.enter_context(opened_whole(path))

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3], at `pts` ticks."""
        time = 1000 * pts * self._base
        gif = self._kind == ".gif"
        if gif and self._times and time - self._times[-1] < SHORTEST_GIF:
            return
        frame = Image.fromarray(np.ascontiguousarray(image))
        if gif:
            frame = frame.quantize(
                COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG
            )
        self._bytes += len(frame.getbands()) * image.shape[0] * image.shape[1]
        if self._bytes > MOST_BYTES:
            raise FacecodecError(f"{self.path}: too long for a {self._kind} file; write a video")
        self._frames.append(frame)
        self._times.append(time)

    def close(self) -> None:
        """Write the file."""
        if self._frames:
            unit = UNIT[self._kind]
            ends = [*self._times[1:], self._times[-1] + self._last]
            begins = [unit * round(time / unit) for time in self._times]
            stops = [unit * round(time / unit) for time in ends]
            durations = [max(unit, b - a) for a, b in zip(begins, stops, strict=True)]
            more: dict[str, Any] = WEBP if self._kind == ".webp" else {"comment": self._comment}
            made = io.BytesIO()
            with readable_errors(self.path):
                self._frames[0].save(
                    made, self._kind[1:], save_all=True, append_images=self._frames[1:],
                    duration=durations, loop=0, **more,
                )  # fmt: skip
                self._file.write(made.getbuffer())
        self._file.flush()
        self._stack.close()

    def abort(self) -> None:
        """Remove what was written."""
        abandon(self._stack)
