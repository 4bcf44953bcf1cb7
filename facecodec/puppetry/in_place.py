"""A puppet in its source's frame: the head moves, the room and the shoulders stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags, FrameRecord, StreamHeader, StreamReader
from facecodec.clip.clip import Clip
from facecodec.compositing.compositor import Compositor
from facecodec.compositing.room import without_head
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.whole import whole_frames
from facecodec.face.alignment import Alignment, scaled
from facecodec.face.crop import resize
from facecodec.puppetry.head_motion import moved
from facecodec.types import Floats, Picture
from facecodec.video.reader import VideoReader

OTHER_FRAMES = 12  # of a video, that may show what its source's head hides
LONGEST_SIDE = 1920  # pixels of a frame that a puppet is laid into


@dataclass(frozen=True)
class Setting:
    """A source's frame without its head, uint8 [H, W, 3], and where the head belongs."""

    picture: Picture
    place: Alignment

    @classmethod
    def of(cls, clip: Clip, number: int, side: int) -> Setting:
        """Return the setting of frame `number` of a clip.

        side: of the face that will be drawn, in pixels. A larger frame is made as small as that
        face is, and no side of it longer than `LONGEST_SIDE`.
        """
        places = clip.alignments
        scale, size = _scaled((clip.width, clip.height), places[number], side)
        wanted = {number, *_others(len(clip))}
        shown: list[tuple[Picture, Alignment]] = []
        own = 0
        for i, frame in enumerate(clip.frames()):
            if i in wanted and (i == number or clip.seen[i]):
                own = len(shown) if i == number else own
                shown.append((resize(frame.image, size), scaled(places[i], scale)))
        picture, place = shown.pop(own)
        return cls(without_head(picture, place, shown), place)

    @classmethod
    def of_stream(cls, stream: StreamReader, who: Avatar, side: int) -> Setting | None:
        """Return the setting of the frame of a stream in which the face is most at rest.

        who: the person of the stream, which has a context. side: as in `of`. None for a stream that
        does not say where the face is.
        """
        placed = [frame for frame in stream.frames() if frame.placement is not None]
        placed = [frame for frame in placed if not frame.flags & FrameFlags.NO_FACE]
        if not placed:
            return None
        own = min(placed, key=lambda frame: float(np.linalg.norm(frame.controls)))
        assert own.placement is not None
        at = Alignment.from_array(own.placement)
        scale, size = _scaled((stream.header.width, stream.header.height), at, side)
        wanted = {own.index, *(placed[i].index for i in _others(len(placed)))}
        shown: dict[int, tuple[Picture, Alignment]] = {}
        for frame, picture in whole_frames(stream, who, wanted):
            assert frame.placement is not None
            there = scaled(Alignment.from_array(frame.placement), scale)
            shown[frame.index] = resize(picture, size), there
        picture, place = shown.pop(own.index)
        return cls(without_head(picture, place, list(shown.values())), place)


def _others(frames: int) -> list[int]:
    """Return the numbers of some frames of so many, which may show what another hides."""
    numbers: list[int] = np.linspace(0, frames - 1, OTHER_FRAMES).astype(int).tolist()
    return numbers


def _scaled(size: tuple[int, int], place: Alignment, side: int) -> tuple[float, tuple[int, int]]:
    """Return by how much a frame of `size` is made smaller for a face of `side` pixels, to what."""
    scale = min(1.0, side / place.size, LONGEST_SIDE / max(size))
    return scale, (_even(size[0] * scale), _even(size[1] * scale))


def _even(side: float) -> int:
    """Return a side of a frame in whole pixels: 4:2:0 video needs even ones."""
    return max(round(side / 2) * 2, 2)


class InPlace(Canvas):
    """Lays a puppet's squares into its source's frame, in order."""

    def __init__(
        self, header: StreamHeader, setting: Setting, moves: Floats, face_size: int
    ) -> None:
        """`moves` [T, 4]: where the head goes in every frame of the puppet."""
        super().__init__(header, "face", None, face_size)
        self.size = (setting.picture.shape[1], setting.picture.shape[0])
        self._setting, self._moves = setting, iter(moves)
        self.compositor = Compositor()

    def __call__(self, face: Picture, frame: FrameRecord) -> Picture:
        """Return the output frame [H, W, 3] for a rendered square [S, S, 3]."""
        place = moved(self._setting.place, next(self._moves))
        return self.compositor.lay(self._setting.picture, face, place)


class InMotion(Canvas):
    """Lays a puppet's squares into the frames of a source that goes on moving, in order."""

    def __init__(
        self,
        header: StreamHeader,
        source: tuple[Path, list[int]],
        moves: Floats,
        face_size: int,
    ) -> None:
        """`source`: a video, and which of its frames each of the puppet's has."""
        super().__init__(header, "source", None, face_size)
        self._frames, self._moves = _in_order(*source), iter(moves)
        self.compositor = Compositor()

    def __call__(self, face: Picture, frame: FrameRecord) -> Picture:
        """Return the output frame [H, W, 3] for a rendered square [S, S, 3]."""
        picture, move = resize(next(self._frames), self.size), next(self._moves)
        if frame.placement is None or frame.flags & FrameFlags.NO_FACE:
            return picture
        own = Alignment.from_array(frame.placement)
        return self.compositor.lay(without_head(picture, own), face, moved(own, move))


def _in_order(video: Path, numbers: list[int]) -> Iterator[Picture]:
    """Yield some frames of a video by their numbers, which may repeat and begin again."""
    frames = _pictures(video)
    at, picture = 0, next(frames)
    for number in numbers:
        if number < at:
            frames = _pictures(video)
            at, picture = 0, next(frames)
        while at < number:
            at, picture = at + 1, next(frames)
        yield picture


def _pictures(video: Path) -> Iterator[Picture]:
    """Yield the frames of a video."""
    with VideoReader(video) as reader:
        for frame in reader.frames():
            yield frame.image
