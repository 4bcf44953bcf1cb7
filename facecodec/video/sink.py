"""What a video output is to those who write one: a sink of pictures and audio packets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from facecodec.bitstream.audio import AudioPacket
from facecodec.errors import FacecodecError
from facecodec.types import Picture
from facecodec.video.source import reason


@contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Raise errors of libav and of the system as a FacecodecError of one line with the path."""
    try:
        yield
    except (av.FFmpegError, OSError, OverflowError, ValueError) as error:
        raise FacecodecError(f"{path}: cannot be written ({reason(error)})") from error


class Sink(ABC):
    """Takes frames in order and audio; a context manager that publishes only on success.

    takes_audio: whether audio is written. recoded: the codec that it is coded into, where the
    container does not take it as it is.
    """

    takes_audio = False
    recoded: str | None = None

    @abstractmethod
    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3], at `pts` times the time base seconds."""

    def write_audio(self, packet: AudioPacket) -> None:  # noqa: B027
        """Add an audio packet; a sink without audio drops it."""

    @abstractmethod
    def close(self) -> None:
        """Finish and publish."""

    def abort(self) -> None:  # noqa: B027
        """Give up; leave nothing behind."""

    def cancel(self) -> None:  # noqa: B027
        """End a write of another thread that waits for a reader; `abort` comes next."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
