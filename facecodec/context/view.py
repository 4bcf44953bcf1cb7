"""Show a context: the picture behind the head at any time, as large as the source's frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av
import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import ContextPictures, ContextPlate
from facecodec.context.av1 import decoded
from facecodec.errors import FacecodecError
from facecodec.types import Picture

Report = Callable[[str], None]


class ContextView:
    """The context of one stream, shown in order: given its parts as they come, asked for pictures.

    Between two pictures of a segment it fades from one to the other. What does not decode leaves
    the picture before it; where there is none, None is shown.
    """

    def __init__(self, plate: ContextPlate | None, size: tuple[int, int], report: Report) -> None:
        """plate: of the stream. size: width and height shown. report: told what fails."""
        self._plate, self._size, self._report = plate, size, report
        self._coming: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._before: tuple[int, av.VideoFrame] | None = None  # the picture shown, and its time
        self._in_plate = True  # which has no time of its own
        self._after: tuple[int, av.VideoFrame] | None = None
        self._shown: Picture | None = None  # of self._before alone, where nothing fades
        if plate is not None:
            first = next(self._decoded(plate, ContextPictures((), ())), None)
            self._before = first

    def take(self, pictures: ContextPictures) -> None:
        """Show these from now on."""
        if self._plate is None:
            return
        self._coming = self._decoded(self._plate, pictures)
        next(self._coming, None)  # the plate
        self._after = next(self._coming, None)

    def _decoded(
        self, plate: ContextPlate, pictures: ContextPictures
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield the plate and the pictures with their times, as far as they decode."""
        try:
            yield from zip((0, *pictures.pts), decoded(plate, pictures.packets), strict=False)
        except FacecodecError as error:
            self._report(f"context: {error}")

    def at(self, pts: int) -> Picture | None:
        """Return the picture for a time, not before the last one: uint8 RGB [H, W, 3] or None."""
        while self._after is not None and self._after[0] <= pts:
            self._before, self._after = self._after, next(self._coming, None)
            self._shown, self._in_plate = None, False
        if self._before is None:
            return None
        start, shown = self._before
        if self._after is None or self._in_plate or pts <= start:
            if self._shown is None:
                self._shown = _enlarged(shown, self._size)
            return self._shown
        share = (pts - start) / (self._after[0] - start)
        faded = _levels(shown) * (1 - share) + _levels(self._after[1]) * share
        frame = av.VideoFrame.from_ndarray(faded.round().astype(np.uint8), format="rgb24")
        return _enlarged(frame, self._size)


def _levels(frame: av.VideoFrame) -> NDArray[np.float32]:
    picture = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    return picture.astype(np.float32)


def _enlarged(frame: av.VideoFrame, size: tuple[int, int]) -> Picture:
    large = frame.reformat(
        *size, format="rgb24", src_colorspace="ITU709", interpolation="BICUBIC"
    ).to_ndarray()
    return large.astype(np.uint8, copy=False)
