"""A clip: a span of a video, and what is known of the face in each of its frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.clip.occlusion import OCCLUDED_NEIGHBOUR_FRAMES, with_occlusions
from facecodec.clip.scan import (
    SQUARE_PIXELS,
    Faces,
    Scan,
    Span,
    cut_squares,
    find_faces,
    scan_faces,
    somebody_else,
)
from facecodec.clip.scanned import ScannedFrames
from facecodec.clip.source import FramesInMemory, FrameSource
from facecodec.clip.targets import make_target
from facecodec.errors import FacecodecError
from facecodec.face.alignment import usual_size
from facecodec.fit.objective import Target
from facecodec.models import face_embedder, landmark_finder
from facecodec.progress import Progress, silent
from facecodec.seconds import Time, between
from facecodec.types import Floats, Picture
from facecodec.video.reader import Frame, VideoReader

KEPT_SQUARES = 320  # aligned squares that stay in memory, 63 MB: more are cut out again


class Clip(ScannedFrames):
    """A span of a video of one person: its frames, and where the face is in them.

    The face is looked for when it is first asked for: one pass over the video for the landmarks,
    a second one for what hides the face. The aligned squares of a clip of up to `KEPT_SQUARES`
    frames stay in memory from then on; of a longer one they are cut out of the video again. Frames
    do not stay. A context manager, which closes the video.

    T is the number of frames. Coordinates of landmarks are in sides of the aligned square, 0 to 1.
    """

    occluded_neighbours = OCCLUDED_NEIGHBOUR_FRAMES  # of an occluded frame, that count as occluded

    def __init__(
        self,
        source: FrameSource,
        span: Span | None = None,
        *,
        live: bool = False,
        occlusions: bool = True,
        people: bool = True,
        scan: Scan | None = None,
        progress: Progress = silent,
    ) -> None:
        """Take frames from a source; `Clip.open` and `Clip.from_frames` make one.

        live: squares are held steady by past frames alone. occlusions: look for what hides the
        face. people: look for frames that show somebody else than the person of the clip, who is
        the one in most frames unless `follow` says otherwise. scan: what is known already.
        progress: told of every pass.
        """
        self.source, self.span = source, span or Span()
        self.live, self.progress = live, progress
        self.occlusions, self.people = occlusions, people
        self._person: int | None = None  # by their number in the scan's people; the one seen most
        self._like: Floats | None = None  # their face embedding [128], where it is known
        self.rest: Floats | None = None  # their landmarks at rest [68, 2], see `stabilise`
        self._squares: dict[int, Picture] = {}
        if scan is not None:
            self.scan = scan

    @classmethod
    def open(
        cls,
        path: str | Path,
        start: Time | None = None,
        end: Time | None = None,
        max_frames: int | None = None,
        *,
        video_track: int | None = None,
        audio_track: int | None = None,
        live: bool = False,
        progress: Progress = silent,
    ) -> Clip:
        """Open a video, or a picture, of one person.

        start, end: seconds of the video (12.5, "1:30" or a Fraction); the frames with
        start <= time < end are taken, at most `max_frames`. video_track, audio_track: which of
        the file's, from 0; those that ffmpeg takes when None. live, progress: see `Clip`.
        Raises UsageError when the file is missing or a time is none, FacecodecError when it is
        no video.
        """
        span = Span(*between(start, end), max_frames)
        reader = VideoReader(Path(path), video_track, audio_track)
        return cls(reader, span, live=live, progress=progress)

    @classmethod
    def from_frames(
        cls,
        frames: Iterable[Picture],
        *,
        fps: Time = 25,
        times: Sequence[Time] | None = None,
        live: bool = False,
        progress: Progress = silent,
    ) -> Clip:
        """Return a clip of pictures in memory, without audio.

        frames: uint8 RGB [T, H, W, 3], or an iterable of pictures [H, W, 3] of one size.
        fps: frames a second, unless `times` [T] gives the time of each in seconds, rising.
        live, progress: see `Clip`. Raises UsageError for pictures or times of another kind.
        """
        return cls(FramesInMemory(frames, fps, times), live=live, progress=progress)

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the video."""
        self.source.close()

    def __len__(self) -> int:
        """Return the number of frames, T."""
        return len(self.scan)

    @property
    def name(self) -> str:
        """Return what error messages call the clip."""
        return str(self.source.path)

    @property
    def width(self) -> int:
        """Return the width of the frames in pixels."""
        return self.source.width

    @property
    def height(self) -> int:
        """Return the height of the frames in pixels."""
        return self.source.height

    @property
    def time_base(self) -> Fraction:
        """Return the seconds of one unit of `pts`."""
        return self.source.time_base

    @cached_property
    def faces(self) -> Faces:
        """Return the faces of every frame, and whose they are; raises what `scan` does."""
        embed = face_embedder() if self.people else None
        return find_faces(self.source, landmark_finder(), embed, self.span, self.progress)

    def follow(self, person: int, like: Floats) -> None:
        """Make one of the people in `faces.people` the person of the clip.

        person: their number, which says it where the whole clip is known. like: a face embedding
        [128] of theirs, which says it in a live clip.
        """
        self._person, self._like = person, like
        self.__dict__.pop("scan", None)
        self._squares = {}

    @cached_property
    def scan(self) -> Scan:
        """Return what is known of the face in every frame.

        Raises NoFaceError when no frame shows a face, UsageError when the span holds no frame,
        ModelError when the landmark model is not installed.
        """
        when = self.time_base, self.live
        other = somebody_else(self.faces, self._person, self._like, *when)
        scan = scan_faces(self.faces, other, *when, self.rest)
        if not self.occlusions:
            return scan
        squares = self._cut(scan, SQUARE_PIXELS)
        return with_occlusions(scan, squares, self.progress, self.live, self.occluded_neighbours)

    @property
    def first_cut(self) -> float | None:
        """Return the seconds from the first frame to the first cut to or from somebody else."""
        people = self.scan.people
        if people is None or not self.other.any():
            return None
        change = people.first_change(self.other)
        return None if change is None else float(self.times[change] - self.times[0])

    @property
    def frame_rate(self) -> Fraction | None:
        """Return the clip's own frame rate where frames are evenly spaced, else the source's."""
        steps = np.diff(self.pts)
        if len(steps) and int(steps.min()) == int(steps.max()):
            return 1 / (int(steps[0]) * self.time_base)
        return self.source.rate

    @property
    def duration(self) -> Fraction:
        """Return the length in seconds, the time that the last frame stays included."""
        rate = self.frame_rate
        step = 1 / rate if rate else Fraction(0)
        return Fraction(int(self.pts[-1] - self.pts[0])) * self.time_base + step

    @property
    def audio(self) -> AudioParameters | None:
        """Return the parameters of the source's audio, None where it has none that can be kept."""
        return self.source.audio

    @property
    def audio_dropped(self) -> str | None:
        """Return the codec of audio that cannot be kept."""
        return self.source.audio_dropped

    def audio_packets(self) -> Iterator[AudioPacket]:
        """Yield the audio of the span; with a limited number of frames it ends with the last."""
        end = self.span.end
        if self.span.max_frames is not None:
            begin = Fraction(int(self.pts[0])) * self.time_base
            end = begin + self.duration - self.source.begin
        return self.source.audio_packets(self.span.start, end)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of the span: pictures uint8 RGB [H, W, 3] with their pts."""
        return self.source.frames(self.span.start, self.span.end, self.span.max_frames)

    def squares(self, size: int = SQUARE_PIXELS, first: int = 0) -> Iterator[tuple[int, Picture]]:
        """Yield the number and the aligned square, uint8 [size, size, 3], of every frame.

        first: the number of the one to begin with; those before it are decoded and no more.
        """
        scan = self.scan  # which keeps squares
        if size == SQUARE_PIXELS and len(self._squares) == len(scan):
            return iter(sorted(self._squares.items(), key=lambda item: item[0])[first:])
        return self._cut(scan, size, first)

    @property
    def square_size(self) -> int:
        """Return the side in pixels, 256, 512 or 1024, that the clip's squares usually fill."""
        return usual_size(self.alignments)

    def squares_at(self, frames: Sequence[int], size: int = SQUARE_PIXELS) -> dict[int, Picture]:
        """Return the aligned squares, uint8 [size, size, 3], of some frames by their numbers.

        Those of 256 pixels stay in memory.
        """
        if size != SQUARE_PIXELS:
            return self._some(frames, size)
        assert self.scan  # the pass over the clip that keeps squares
        missing = set(frames) - self._squares.keys()
        if missing:
            self._squares |= self._some(sorted(missing), SQUARE_PIXELS)
        return {i: self._squares[i] for i in sorted(set(frames))}

    def _some(self, frames: Sequence[int], size: int) -> dict[int, Picture]:
        """Return the squares of some frames, cut out of the video as far as the last of them."""
        wanted, squares = set(frames), dict[int, Picture]()
        for i, square in self._cut(self.scan, size) if wanted else ():
            if i in wanted:
                squares[i] = square
                if len(squares) == len(wanted):
                    break
        return squares

    def target(self, frame: int, square: Picture, device: torch.device) -> Target:
        """Return what a fit is to explain of a frame, given its aligned square [S, S, 3]."""
        return make_target(self.scan, frame, square, device)

    def targets(
        self, frames: Sequence[int], device: torch.device, size: int = SQUARE_PIXELS
    ) -> list[Target]:
        """Return what a fit is to explain of some frames, in the order given, at `size` pixels."""
        squares = self.squares_at(frames, size)
        return [self.target(i, squares[i], device) for i in frames]

    def _cut(self, scan: Scan, size: int, first: int = 0) -> Iterator[tuple[int, Picture]]:
        """Yield the squares out of the video, and keep them where the clip is short enough."""
        keep = size == SQUARE_PIXELS and len(scan) <= KEPT_SQUARES and not first
        kept, count = dict[int, Picture](), first
        frames = self.frames()
        if first:
            start = int(scan.pts[first]) * self.time_base - self.source.begin
            frames = self.source.frames(start, self.span.end, len(scan) - first)
        for i, square in cut_squares(frames, scan.alignments, size, first):
            count = i + 1
            if keep:
                kept[i] = square
                if count == len(scan):
                    self._squares = kept
            yield i, square
        if count != len(scan):
            raise FacecodecError(f"{self.name}: has other frames than when it was read first")
