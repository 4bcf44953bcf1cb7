"""Video in: frames as upright RGB pictures with exact rational timestamps, audio as packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray

from facecodec.errors import FacecodecError, UsageError
from facecodec.picture_limits import check_picture_size
from facecodec.video.audio import AudioPacket, AudioTrack, describe_audio


@dataclass(frozen=True)
class Frame:
    """One picture, uint8 RGB [H, W, 3], shown at `pts` times the reader's time base seconds."""

    pts: int
    image: NDArray[np.uint8]


class VideoReader:
    """Reads anything libav reads. A context manager; each iteration starts the file anew."""

    def __init__(self, path: Path) -> None:
        """Open a file. Raises UsageError when it is missing, FacecodecError when not a video."""
        self.path = path
        if not path.exists():
            raise UsageError(f"{path}: no such file")
        self._container = self._open()
        stream = self._container.streams.video[0]
        self.time_base = Fraction(stream.time_base or 1)
        self.rate = Fraction(stream.average_rate) if stream.average_rate else None
        first = next(self.frames(max_frames=1), None)
        if first is None:
            raise FacecodecError(f"{path}: holds no picture that can be decoded")
        self.height, self.width = first.image.shape[:2]
        audio = self._container.streams.audio
        self.audio: AudioTrack | None = describe_audio(audio[0]) if audio else None
        self.audio_dropped: str | None = None
        if audio and self.audio is None:
            self.audio_dropped = audio[0].codec_context.name
        self.frame_count: int | None = stream.frames or None

    def _open(self) -> av.container.InputContainer:
        try:
            container = av.open(str(self.path))
        except (av.FFmpegError, OSError) as error:
            raise FacecodecError(f"{self.path}: not a video that can be read ({error})") from error
        if not container.streams.video:
            container.close()
            raise FacecodecError(f"{self.path}: holds no video")
        declared = container.streams.video[0].codec_context
        if declared.width and declared.height:
            self._check_size(container, declared.width, declared.height)
        return container

    def _check_size(self, container: av.container.InputContainer, width: int, height: int) -> None:
        try:
            check_picture_size(width, height, self.path)
        except FacecodecError:
            container.close()
            raise

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(
        self,
        start: Fraction | None = None,
        end: Fraction | None = None,
        max_frames: int | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames with start <= time < end (seconds), at most `max_frames`.

        A damaged packet is skipped, as players do. Frames without a timestamp continue the last.
        """
        count, last = 0, None
        with self._open() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in _decode(container, stream):
                if max_frames is not None and count >= max_frames:
                    return
                pts = frame.pts
                if pts is None:
                    step = 1 / (self.rate or Fraction(25)) / self.time_base
                    pts = 0 if last is None else last + round(step)
                if last is not None and pts <= last:
                    continue
                last = pts
                time = pts * self.time_base
                if start is not None and time < start:
                    continue
                if end is not None and time >= end:
                    return
                count += 1
                self._check_size(container, frame.width, frame.height)
                yield Frame(pts, _upright(frame))

    def audio_packets(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[AudioPacket]:
        """Yield the audio packets whose time lies in start <= time < end (seconds)."""
        if self.audio is None:
            return
        with self._open() as container:
            stream = container.streams.audio[0]
            for packet in container.demux(stream):
                if packet.pts is None or packet.size == 0:
                    continue
                time = packet.pts * self.audio.time_base
                if (start is not None and time < start) or (end is not None and time >= end):
                    continue
                dts = packet.pts if packet.dts is None else packet.dts
                yield AudioPacket(packet.pts, dts, packet.duration or 0, bytes(packet))


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture file (or the first frame of a video) as uint8 RGB [H, W, 3]."""
    with VideoReader(path) as reader:
        return next(reader.frames(max_frames=1)).image


def _decode(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Iterator[av.VideoFrame]:
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Convert to RGB and undo the rotation a phone recorded."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
