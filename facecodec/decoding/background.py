"""What is behind a decoded person: a colour, a picture, a video, or their surroundings, blurred."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import ImageColor

from facecodec.compositing.surroundings import Surroundings
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment
from facecodec.face.crop import resize
from facecodec.types import Picture
from facecodec.video.reader import VideoReader

BLUR = "blur"  # the name of the blurred surroundings
PLAIN_GREY = 128  # grey level where nothing is known

# A square [S, S, 3], its place and the frame [H, W, 3] that the person is in, both where they are
# known, to the frame [H, W, 3] that is behind them
Background = Callable[[Picture, Alignment | None, Picture | None], Picture]


def background_file(given: str | Path | None) -> Path | None:
    """Return the file that a background names, None for a colour, a blur or nothing."""
    if given is None or given == BLUR or (isinstance(given, str) and _colour(given) is not None):
        return None
    return Path(given)


def open_background(given: str | Path | None, size: tuple[int, int]) -> Background:
    """Return what is behind a person, in frames of `size`: width and height.

    given: a picture or a video, of which there is a frame for every one that is drawn, the last
    one staying; "blur": the frame that the person is in, or what a square shows of it; or a
    colour: "#rrggbb", "rgb(r, g, b)" or an HTML name. When None, the frame they are in, grey where
    that is not known.
    Raises UsageError for a colour that there is not, and a missing file.
    """
    if given is None:
        return _Own(size)
    if given == BLUR:
        return Surroundings(size)
    colour = _colour(str(given))
    if colour is not None:
        return _Still(np.full((size[1], size[0], 3), colour, np.uint8))
    path = Path(str(given))
    if str(given).startswith("#"):
        raise UsageError(f"no colour {given!r}; one is written #rrggbb", argument="background")
    if not path.exists():
        raise UsageError(
            f"no background {str(given)!r}: it is no file, no colour, and not 'blur'",
            argument="background",
        )
    return _Moving(_pictures(path, size))


class _Own:
    """The frame that the person is in, the last one where there is none."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._last = np.full((size[1], size[0], 3), PLAIN_GREY, np.uint8)

    def __call__(self, square: Picture, place: Alignment | None, shown: Picture | None) -> Picture:
        self._last = self._last if shown is None else shown
        return self._last


class _Still:
    """One picture behind all frames."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def __call__(self, square: Picture, place: Alignment | None, shown: Picture | None) -> Picture:
        return self._picture


class _Moving:
    """A picture for every frame, of which the last one stays."""

    def __init__(self, pictures: Iterator[Picture]) -> None:
        self._last = next(pictures)  # a file that is none is known before any work
        self._pictures = chain([self._last], pictures)

    def __call__(self, square: Picture, place: Alignment | None, shown: Picture | None) -> Picture:
        self._last = next(self._pictures, self._last)
        return self._last


def _pictures(path: Path, size: tuple[int, int]) -> Iterator[Picture]:
    """Yield the frames of a picture or video, scaled to cover `size`, without their margins."""
    with VideoReader(path) as reader:
        for frame in reader.frames():
            height, width = frame.image.shape[:2]
            scale = max(size[0] / width, size[1] / height)
            wide, tall = max(round(width * scale), size[0]), max(round(height * scale), size[1])
            left, top = (wide - size[0]) // 2, (tall - size[1]) // 2
            whole = resize(frame.image, (wide, tall))
            yield whole[top : top + size[1], left : left + size[0]]


def _colour(given: str) -> tuple[int, int, int] | None:
    """Return the red, green and blue of a colour, None for what is none."""
    try:
        colour = ImageColor.getrgb(given)
    except ValueError:
        return None
    return colour[0], colour[1], colour[2]
