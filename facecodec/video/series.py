"""Numbered pictures as a video: `frames/%06d.png`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.errors import UsageError
from facecodec.types import Picture
from facecodec.video.fit import fitted
from facecodec.video.reader import Frame, VideoReader, ticks_within

_PATTERN = re.compile(r"(?:[^%]|%%)*%(?:0\d)?d(?:[^%]|%%)*")
FIRST_NUMBERS = (0, 1)  # that a series may begin at


def is_series(name: str | Path) -> bool:
    """Return whether a name stands for numbered pictures: with one %d, and no file itself."""
    path = Path(name)
    return _PATTERN.fullmatch(path.name) is not None and not path.exists()


class SeriesReader:
    """Reads pictures from number 0 or 1 on, up to the first that is missing.

    All have the size of the first; there is no sound. Times are in units of 1 / fps seconds.
    """

    audio: AudioParameters | None = None
    audio_dropped: str | None = None
    begin = Fraction(0)

    def __init__(self, pattern: Path, fps: Fraction) -> None:
        """pattern: with one %d in its name. fps: pictures a second.

        Raises UsageError where there is no first picture, FacecodecError where it is none.
        """
        self.path, self.rate, self.time_base = pattern, fps, 1 / fps
        found = [number for number in FIRST_NUMBERS if self._path(number).is_file()]
        if not found:
            names = " nor ".join(self._path(number).name for number in FIRST_NUMBERS)
            raise UsageError(f"{pattern}: there is neither {names}")
        self._first = found[0]
        count = 0
        while self._path(self._first + count).is_file():
            count += 1
        self.frame_count: int | None = count
        self._size: tuple[int, int] | None = None
        first = self.picture(0)
        self.height, self.width = first.shape[:2]

    def _path(self, number: int) -> Path:
        return self.path.with_name(self.path.name % number)

    def picture(self, index: int) -> Picture:
        """Return a picture by its place in the series, from 0: uint8 RGB [H, W, 3]."""
        with VideoReader(self._path(self._first + index)) as reader:
            image = next(reader.frames(max_frames=1)).image
        if self._size is None:
            self._size = image.shape[1], image.shape[0]
        return fitted(image, self._size)

    def frames(
        self,
        start: Fraction | None = None,
        end: Fraction | None = None,
        max_frames: int | None = None,
    ) -> Iterator[Frame]:
        """Yield the pictures with start <= time < end, in seconds, at most `max_frames`."""
        numbers = range(self.frame_count or 0)
        for index, pts in ticks_within(numbers, self.time_base, start, end, max_frames):
            yield Frame(pts, self.picture(index))

    def audio_packets(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[AudioPacket]:
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""
