"""Pictures and sound as they come, once: from a camera, a pipe, a file, or an address.

Where a `VideoReader` goes over a file as often as it likes, nothing here is read twice, and nothing
but what has come is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from facecodec.errors import FacecodecError
from facecodec.picture_limits import check_picture_size
from facecodec.types import Picture
from facecodec.video import tracks
from facecodec.video.fit import fitted
from facecodec.video.reader import USUAL_RATE, picture_of, pixel_shape
from facecodec.video.source import demuxed


@dataclass(frozen=True)
class Seen:
    """A picture that has come: when, in seconds from the first one, and what makes it.

    `picture` returns uint8 RGB [H, W, 3], all of one size.
    """

    time: Fraction
    picture: Callable[[], Picture]


@dataclass(frozen=True)
class Heard:
    """Decoded sound that has come; `time` of the first frame, in seconds from the first picture."""

    time: Fraction
    frames: list[av.AudioFrame]


Captured: TypeAlias = Seen | Heard


class Capture(Protocol):
    """A source of pictures, and perhaps of sound."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def rate(self) -> Fraction | None:
        """Frames a second, None where that is not known."""

    @property
    def channels(self) -> int | None:
        """Channels of its sound, None where there is none."""

    @property
    def paced(self) -> bool:
        """Whether pictures come no faster than they are to be shown, as those of a camera."""

    def items(self) -> Iterator[Captured]:
        """Yield pictures and sound in the order in which they come; to be called once."""
        ...

    def close(self) -> None:
        """Let go of the device or file; nothing is to be read at that time."""
        ...


class ContainerCapture:
    """What libav reads: the pictures and the sound of an open container."""

    def __init__(
        self,
        container: InputContainer,
        name: str,
        *,
        paced: bool = False,
        sound: bool = True,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """sound: whether it is wanted. close: closes what the container reads.

        Raises FacecodecError where there are no pictures.
        """
        self.name, self.paced = name, paced
        self._path, self._container, self._close = Path(name), container, close
        self._video: VideoStream = tracks.video_track(container, self._path, None)
        if self._video.width and self._video.height:
            check_picture_size(self._video.width, self._video.height, self._path)
        rate = self._video.average_rate
        self.rate: Fraction | None = Fraction(rate) if rate and rate > 0 else None
        self._audio: AudioStream | None = None
        if sound:
            found = tracks.audio_track(container, self._path, None)
            self._audio = found if found is not None and found.codec_context else None
        self.channels = None if self._audio is None else self._audio.codec_context.channels
        self._size: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the container and what it reads."""
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        self._close()

    def items(self) -> Iterator[Captured]:
        """Yield pictures whose times rise, and sound; what is damaged is skipped."""
        self._video.thread_type, self._video.codec_context.thread_count = "NONE", 1
        base = Fraction(self._video.time_base or 1)
        step = 1 / (self.rate or USUAL_RATE)
        begin: Fraction | None = None  # of the first picture, on the container's clock
        last: Fraction | None = None
        early: list[tuple[Fraction, av.AudioFrame]] = []  # sound before the first picture
        streams = [s for s in (self._video, self._audio) if s is not None]
        for packet in demuxed(self._container, *streams):
            try:
                decoded = packet.decode()
            except (av.FFmpegError, OverflowError, ValueError):
                continue
            for frame in decoded:
                if isinstance(frame, av.AudioFrame):
                    if frame.pts is None:
                        continue
                    time = frame.pts * Fraction(frame.time_base or 1)
                    if begin is None:
                        early.append((time, frame))
                    else:
                        yield Heard(time - begin, [frame])
                    continue
                if frame.pts is None:
                    time = Fraction(0) if last is None else last + step
                else:
                    time = frame.pts * base
                if last is not None and time <= last:
                    continue
                begin = time if begin is None else begin
                last = time
                yield Seen(time - begin, partial(self._picture, frame, pixel_shape(self._video)))
                for heard, sound in early:
                    yield Heard(heard - begin, [sound])
                early = []
        if begin is None:
            raise FacecodecError(f"{self.name}: holds no picture that can be decoded")

    def _picture(self, frame: av.VideoFrame, shape: Fraction) -> Picture:
        picture = picture_of(frame, shape, self._path)
        if self._size is None:
            self._size = picture.shape[1], picture.shape[0]
        return fitted(picture, self._size)
