"""Video in: frames as upright RGB pictures with exact rational timestamps, audio as packets."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.errors import FacecodecError
from facecodec.picture_limits import check_picture_size
from facecodec.types import Picture
from facecodec.video import audio_source, tracks
from facecodec.video.colour import to_rgb
from facecodec.video.fit import fitted
from facecodec.video.orientation import display_matrix, upright
from facecodec.video.picture import is_photograph, read_photograph
from facecodec.video.raw import RawPictures
from facecodec.video.source import Source, demuxed, reason
from facecodec.video.timeline import Clock, Timeline, timeline_of

STILL_BASE = Fraction(1, 25)  # seconds per unit of a photograph's only timestamp
USUAL_RATE = Fraction(25)  # frames a second where a file does not say


@dataclass(frozen=True)
class Frame:
    """One picture, uint8 RGB [H, W, 3], shown at `pts` times the reader's time base seconds."""

    pts: int
    image: Picture


class VideoReader:
    """Reads what libav and Pillow read. A context manager; each iteration opens the file again.

    width, height: of every frame, in square pixels, after rotation. time_base: seconds per unit of
    pts. rate: mean frame rate, None where unknown. begin: when the first frame is shown, in seconds
    of the file's own clock; `start` and `end` count from there. audio: None where there is none
    that can be carried; audio_dropped: the codec of audio that cannot.
    """

    def __init__(
        self,
        path: Path,
        video_track: int | None = None,
        audio_track: int | None = None,
        raw: RawPictures | None = None,
    ) -> None:
        """Open a file; tracks are counted from 0, those that ffmpeg takes where none is given.

        raw: what it holds, where that is pictures without a container.
        Raises UsageError when it is missing or a track is, FacecodecError when it is no video.
        """
        self._video_track, self._audio_track = video_track, audio_track
        self._source = Source(path, raw)
        self.path = self._source.path
        self.audio: AudioParameters | None = None
        self.audio_dropped: str | None = None
        self.begin = Fraction(0)
        self._size: tuple[int, int] | None = None
        self._still: Picture | None = None
        self._timeline = Timeline()
        self._why = ""
        self.time_base = STILL_BASE
        self.rate: Fraction | None = 1 / STILL_BASE
        self.frame_count: int | None = 1
        if raw is None and is_photograph(self._source.file, self._source.head):
            self._open_photograph()
        else:
            self._open_video(raw)
        assert self._size is not None
        self.width: int = self._size[0]
        self.height: int = self._size[1]

    def _open_photograph(self) -> None:
        self._still = read_photograph(self._source.file, self._source.head)
        self._size = self._still.shape[1], self._still.shape[0]

    def _open_video(self, raw: RawPictures | None) -> None:
        with self._opened() as (container, stream):
            self.time_base = Fraction(stream.time_base or 1)
            rate = stream.guessed_rate if _unstamped(container) else stream.average_rate
            rate = rate if raw is None else raw.fps  # which only its options know
            self.rate = Fraction(rate) if rate and rate > 0 else None
            self.frame_count = stream.frames or None
            sound = tracks.audio_track(container, self.path, self._audio_track)
            if sound is not None:
                self.audio = audio_source.describe_audio(container, sound)
                if self.audio is None:
                    context = sound.codec_context
                    self.audio_dropped = context.name if context else "unknown"
        if self.frame_count is None:  # packets in an index are in order already
            with self._opened() as (container, stream):
                heard = tracks.audio_track(container, self.path, self._audio_track)
                both = [stream, heard] if heard is not None else [stream]
                self._timeline = timeline_of(container, both)
                self.frame_count = self._timeline.packets.get(stream.index)
        first = next(self.frames(max_frames=1), None)
        if first is None:
            raise FacecodecError(f"{self.path}: holds no picture that can be decoded{self._why}")
        self.begin = first.pts * self.time_base
        self._size = first.image.shape[1], first.image.shape[0]
        if next(self.audio_packets(), None) is None:
            self.audio = None

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file for one pass over it."""
        container, file = self._source.open()
        try:
            stream = tracks.video_track(container, self.path, self._video_track)
            if stream.width and stream.height:
                check_picture_size(stream.width, stream.height, self.path)
            yield container, stream
        finally:
            container.close()
            file.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held open between iterations."""

    def frames(
        self,
        start: Fraction | None = None,
        end: Fraction | None = None,
        max_frames: int | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames with start <= time < end, at most `max_frames`.

        start, end: seconds from the first frame. A damaged packet is skipped, as players do; a
        frame without a timestamp follows the one before it. All have the size of the first.
        """
        count = 0
        with closing(self._shown()) as shown:
            for pts, picture in shown:
                if max_frames is not None and count >= max_frames:
                    return
                time = pts * self.time_base - self.begin
                if start is not None and time < start:
                    continue
                if end is not None and time >= end:
                    return
                count += 1
                yield Frame(pts, picture())

    def _shown(self) -> Generator[tuple[int, Callable[[], Picture]], None, None]:
        """Yield every frame's timestamp and what makes its picture."""
        if self._still is not None:
            still = self._still
            yield 0, lambda: still
            return
        with self._opened() as (container, stream):
            for pts, frame in self._timed(container, stream):
                yield pts, partial(self._picture, frame, stream)

    def _timed(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield the decoded frames whose timestamps rise, with them."""
        last = None
        step = max(1, round(1 / (self.rate or USUAL_RATE) / self.time_base))
        for frame in self._decoded(container, stream, self._timeline.clock(stream)):
            pts = frame.pts
            if pts is None:
                pts = 0 if last is None else last + step
            if last is None or pts > last:
                last = pts
                yield pts, frame

    def _decoded(
        self, container: InputContainer, stream: VideoStream, clock: Clock
    ) -> Iterator[av.VideoFrame]:
        due: list[int] = []  # decoding times of packets whose frames have not come out yet
        unstamped = _unstamped(container)
        # One thread: with more, what a damaged packet takes with it depends on how many there are.
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        self._why = ""
        for packet in demuxed(container, stream):
            clock.shift(packet)
            if unstamped and packet.size and packet.dts is not None:
                heapq.heappush(due, packet.dts)
            try:
                frames = packet.decode()
            except (av.FFmpegError, OverflowError, ValueError) as error:
                self._why = f" ({reason(error)})"
                due = [dts for dts in due if dts != packet.dts]
                heapq.heapify(due)
                continue
            for frame in frames:
                if unstamped:
                    frame.pts = heapq.heappop(due) if due else None
                yield frame

    def _picture(self, frame: av.VideoFrame, stream: VideoStream) -> Picture:
        """Return a frame as `picture_of` does, of the clip's size."""
        picture = picture_of(frame, pixel_shape(stream), self.path)
        return picture if self._size is None else fitted(picture, self._size)

    def audio_packets(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[AudioPacket]:
        """Yield the audio packets with start <= time < end; seconds from the first frame."""
        if self.audio is None:
            return
        with self._opened() as (container, _):
            stream = tracks.audio_track(container, self.path, self._audio_track)
            assert stream is not None
            clock = self._timeline.clock(stream)
            for packet in audio_source.packets(container, stream, self.audio, clock, self.begin):
                time = packet.pts * self.audio.time_base - self.begin
                if (start is None or time >= start) and (end is None or time < end):
                    yield packet


def ticks_within(
    ticks: Iterable[int],
    time_base: Fraction,
    start: Fraction | None,
    end: Fraction | None,
    max_frames: int | None,
) -> Iterator[tuple[int, int]]:
    """Yield which of some `ticks`, each times `time_base` seconds, lie in start <= time < end.

    Their places and the ticks themselves, `max_frames` of them at most.
    """
    count = 0
    for index, tick in enumerate(ticks):
        time = tick * time_base
        if (start is not None and time < start) or (end is not None and time >= end):
            continue
        if max_frames is not None and count >= max_frames:
            return
        count += 1
        yield index, tick


def pixel_shape(stream: VideoStream) -> Fraction:
    """Return how many times as wide as high a stream's pixels are; its container must be open."""
    ratio = stream.sample_aspect_ratio
    return Fraction(ratio) if ratio and ratio > 0 else Fraction(1)


def picture_of(frame: av.VideoFrame, shape: Fraction, path: Path) -> Picture:
    """Return a frame in square pixels, in colours of BT.709, upright: uint8 RGB [H, W, 3].

    shape: `pixel_shape` of its stream. It is a number, since a frame outlives its container and a
    stream does not. path: what errors call the file. Raises FacecodecError for sizes and colours
    that are not read.
    """
    check_picture_size(frame.width, frame.height, path)
    size = None
    if shape != 1:
        size = max(1, round(frame.width * shape)), frame.height
        check_picture_size(*size, path)
    try:
        return upright(to_rgb(frame, size), display_matrix(frame))
    except FacecodecError as error:
        raise FacecodecError(f"{path}: {error}") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FacecodecError(
            f"{path}: its pictures ({frame.format.name}, matrix {int(frame.colorspace)}) "
            f"cannot be converted to RGB ({reason(error)})"
        ) from error


def _unstamped(container: InputContainer) -> bool:
    """Return whether a format says when packets are decoded, but not when frames are shown."""
    return container.format.name == "avi"
