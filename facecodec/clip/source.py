"""Where a clip's frames come from: a video file, or pictures in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.errors import UsageError
from facecodec.seconds import Time, seconds
from facecodec.types import Picture
from facecodec.video.reader import Frame, ticks_within

MAX_UNITS_PER_SECOND = 1_000_000  # units of a second that exact times of frames may need
USUAL_UNITS_PER_SECOND = 90_000  # units of a second for times that need finer ones


class FrameSource(Protocol):
    """What a clip needs of its source; `facecodec.video.reader.VideoReader` is one."""

    @property
    def path(self) -> Path:
        """What error messages call it."""

    @property
    def width(self) -> int:
        """Width of the frames in pixels."""

    @property
    def height(self) -> int:
        """Height of the frames in pixels."""

    @property
    def time_base(self) -> Fraction:
        """Seconds of one unit of `pts`."""

    @property
    def rate(self) -> Fraction | None:
        """Mean number of frames a second, None where it is not known."""

    @property
    def begin(self) -> Fraction:
        """Seconds of its own clock from which `start` and `end` count."""

    @property
    def frame_count(self) -> int | None:
        """Number of frames, None where it is not known."""

    @property
    def audio(self) -> AudioParameters | None:
        """Parameters of its audio, None where it has none that can be kept."""

    @property
    def audio_dropped(self) -> str | None:
        """Codec of audio that cannot be kept."""

    def frames(
        self,
        start: Fraction | None = None,
        end: Fraction | None = None,
        max_frames: int | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames with start <= time < end, in seconds; may be called again."""
        ...

    def audio_packets(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[AudioPacket]:
        """Yield the audio packets with start <= time < end, in seconds."""
        ...

    def close(self) -> None:
        """Close the file, if there is one."""
        ...


class FramesInMemory:
    """Pictures in memory as a clip's source; it has no audio."""

    audio: AudioParameters | None = None
    audio_dropped: str | None = None
    begin = Fraction(0)

    def __init__(
        self,
        frames: Iterable[Picture],
        fps: Time = 25,
        times: Sequence[Time] | None = None,
        name: str = "frames",
    ) -> None:
        """`frames`: uint8 RGB [T, H, W, 3], or T pictures [H, W, 3]; see `Clip.from_frames`.

        Raises UsageError for no pictures, pictures of several sizes, and a rate that is not
        positive.
        """
        self.path = Path(name)
        self._frames = frames if isinstance(frames, np.ndarray | Sequence) else list(frames)
        if len(self._frames) == 0:
            raise UsageError(f"{name}: no pictures")
        shape = np.shape(self._frames[0])
        for i, picture in enumerate(self._frames):
            good = isinstance(picture, np.ndarray) and picture.dtype == np.uint8
            if not good or picture.ndim != 3 or picture.shape[2] != 3 or picture.shape != shape:
                raise UsageError(f"{name}: picture {i} is not uint8 RGB [H, W, 3] as the first is")
        self.height, self.width = shape[:2]
        self.frame_count: int | None = len(self._frames)
        self.rate: Fraction | None = None
        if times is None:
            rate = seconds(fps)
            if not rate:
                raise UsageError(f"{name}: {fps!r} frames a second")
            self.rate, self.time_base = rate, 1 / rate
            self._pts = list(range(len(self._frames)))
        else:
            self.time_base, self._pts = _ticks(times, len(self._frames), name)

    def frames(
        self,
        start: Fraction | None = None,
        end: Fraction | None = None,
        max_frames: int | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames with start <= time < end, in seconds, at most `max_frames`."""
        for index, pts in ticks_within(self._pts, self.time_base, start, end, max_frames):
            yield Frame(pts, self._frames[index])

    def audio_packets(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[AudioPacket]:
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """Do nothing: the pictures are the caller's."""


def _ticks(times: Sequence[Time], count: int, name: str) -> tuple[Fraction, list[int]]:
    """Return a time base in which times in seconds are whole numbers, and these numbers."""
    exact = [seconds(time) or Fraction(0) for time in times]
    if len(exact) != count:
        raise UsageError(f"{name}: {len(exact)} times for {count} pictures")
    units = math.lcm(*(time.denominator for time in exact))
    units = units if units <= MAX_UNITS_PER_SECOND else USUAL_UNITS_PER_SECOND
    pts = [round(time * units) for time in exact]
    if any(later <= earlier for earlier, later in zip(pts, pts[1:], strict=False)):
        raise UsageError(f"{name}: the times of the pictures do not rise")
    return Fraction(1, units), pts
