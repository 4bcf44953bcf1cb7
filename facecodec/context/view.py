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
from facecodec.video.colour import BT709, to_rgb

Report = Callable[[str], None]

SHARES = 64  # steps in which a picture fades into the next: as many as 16 bits take
PLANES = "yuv420p10le"  # as pictures are coded: so they fade and grow in half the time of RGB

Planes = NDArray[np.uint16]  # [3 h / 2, w] of ten bits, as PyAV lays them out


class ContextView:
    """The context of one stream, shown in order: given its parts as they come, asked for pictures.

    Between two pictures of a segment it fades from one to the other. What does not decode leaves
    the picture before it; where there is none, None is shown.
    """

    def __init__(self, plate: ContextPlate | None, size: tuple[int, int], report: Report) -> None:
        """plate: of the stream. size: width and height shown. report: told what fails."""
        self._plate, self._size, self._report = plate, size, report
        self._coming: Iterator[tuple[int, Planes]] = iter(())
        self._before: tuple[int, Planes] | None = None  # the picture shown, and its time
        self._in_plate = True  # which has no time of its own
        self._after: tuple[int, Planes] | None = None
        self._now: Planes | None = None  # come to
        self._shown: tuple[Planes, Picture] | None = None  # what is shown, small and large
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
    ) -> Iterator[tuple[int, Planes]]:
        """Yield the plate and the pictures with their times, as far as they decode."""
        try:
            frames = decoded(plate, pictures.packets)
            for pts, frame in zip((0, *pictures.pts), frames, strict=False):
                width, height = (side + side % 2 for side in (frame.width, frame.height))
                small = frame.reformat(width, height, format=PLANES).to_ndarray()
                yield pts, small.astype(np.uint16, copy=False)
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
        """What was last come to, as small as it is coded: uint8 RGB [h, w, 3] or None."""
        return None if self._now is None else to_rgb(_frame_of(self._now))

    def at(self, pts: int) -> Picture | None:
        """Return the picture for a time, not before the last one: uint8 RGB [H, W, 3] or None."""
        self.come_to(pts)
        if self._now is None:
            return None
        if self._shown is None or self._shown[0] is not self._now:
            self._shown = self._now, _enlarged(self._now, self._size)
        return self._shown[1]

    def come_to(self, pts: int) -> None:
        """Go on to a time, not before the last one, of which no large picture is needed."""
        while self._after is not None and self._after[0] <= pts:
            self._before, self._after = self._after, next(self._coming, None)
            self._in_plate = False
        if self._before is None:
            return
        start, picture = self._before
        if self._after is not None and not self._in_plate and pts > start:
            share = round(SHARES * (pts - start) / (self._after[0] - start))
            picture = _mixed(picture, self._after[1], share)
        self._now = picture


def _mixed(one: Planes, other: Planes, share: int) -> Planes:
    """Return the mean of two pictures, the other with a share in `SHARES`, rounded."""
    total = one * np.uint16(SHARES - share)
    total += other * np.uint16(share)
    total += np.uint16(SHARES // 2)
    total >>= np.uint16(SHARES.bit_length() - 1)
    return total


def _enlarged(picture: Planes, size: tuple[int, int]) -> Picture:
    """Return a picture as large as `size` says, width and height: uint8 RGB [H, W, 3]."""
    return to_rgb(_frame_of(picture), size)


def _frame_of(picture: Planes) -> av.VideoFrame:
    """Return a picture as a frame of libav's."""
    frame = av.VideoFrame.from_ndarray(picture, format=PLANES)
    frame.colorspace, frame.color_range = BT709, 1  # limited
    return frame
