"""Show a context: the picture behind the head at any time, as large as the source's frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av
import numpy as np

from facecodec.bitstream import ContextPictures, ContextPlate
from facecodec.context.av1 import decoded
from facecodec.errors import FacecodecError
from facecodec.types import Picture

Report = Callable[[str], None]

SHARES = 256  # steps in which a picture fades into the next


class ContextView:
    """The context of one stream, shown in order: given its parts as they come, asked for pictures.

    Between two pictures of a segment it fades from one to the other. What does not decode leaves
    the picture before it; where there is none, None is shown.
    """

    def __init__(self, plate: ContextPlate | None, size: tuple[int, int], report: Report) -> None:
        """plate: of the stream. size: width and height shown. report: told what fails."""
        self._plate, self._size, self._report = plate, size, report
        self._coming: Iterator[tuple[int, Picture]] = iter(())
        self._before: tuple[int, Picture] | None = None  # the picture shown, and its time
        self._in_plate = True  # which has no time of its own
        self._after: tuple[int, Picture] | None = None
        self._shown: tuple[Picture, Picture] | None = None  # what is shown, small and large
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
    ) -> Iterator[tuple[int, Picture]]:
        """Yield the plate and the pictures with their times, as far as they decode."""
        try:
            frames = decoded(plate, pictures.packets)
            for pts, frame in zip((0, *pictures.pts), frames, strict=False):
                small = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
                yield pts, small.astype(np.uint8, copy=False)
        except FacecodecError as error:
            self._report(f"context: {error}")

    @property
    def time(self) -> int | None:
        """The time of the picture last shown, in units of the time base; None for the plate."""
        return None if self._in_plate or self._before is None else self._before[0]

    def comes(self, pts: int) -> bool:
        """Return whether `at` would come to a new picture at this time."""
        return self._after is not None and self._after[0] <= pts

    @property
    def small(self) -> Picture | None:
        """What was last shown, as small as it is coded: uint8 RGB [h, w, 3] or None."""
        return None if self._shown is None else self._shown[0]

    def at(self, pts: int) -> Picture | None:
        """Return the picture for a time, not before the last one: uint8 RGB [H, W, 3] or None."""
        while self._after is not None and self._after[0] <= pts:
            self._before, self._after = self._after, next(self._coming, None)
            self._in_plate = False
        if self._before is None:
            return None
        start, picture = self._before
        if self._after is not None and not self._in_plate and pts > start:
            share = round(SHARES * (pts - start) / (self._after[0] - start))
            picture = _mixed(picture, self._after[1], share)
        if self._shown is None or self._shown[0] is not picture:
            self._shown = picture, _enlarged(picture, self._size)
        return self._shown[1]


def _mixed(one: Picture, other: Picture, share: int) -> Picture:
    """Return the mean of two pictures, the other with a share in `SHARES`, rounded."""
    total = one.astype(np.uint16) * np.uint16(SHARES - share)
    total += other * np.uint16(share)
    total += np.uint16(SHARES // 2)
    return (total // np.uint16(SHARES)).astype(np.uint8)


def _enlarged(picture: Picture, size: tuple[int, int]) -> Picture:
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    large = frame.reformat(*size, format="rgb24", interpolation="BICUBIC").to_ndarray()
    return large.astype(np.uint8, copy=False)
