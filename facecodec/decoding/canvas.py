"""Where a decoded face goes: the square itself, or its place in a frame of the source's size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facecodec.bitstream import (
    ContextPictures,
    ContextPlate,
    Damage,
    FrameRecord,
    StreamHeader,
)
from facecodec.compositing.compositor import Compositor
from facecodec.context.view import ContextView
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment
from facecodec.face.crop import resize
from facecodec.picture_limits import check_picture_size
from facecodec.types import Picture
from facecodec.video.reader import VideoReader

PLAIN_GREY = 128  # grey level where there is no background
CANVASES = ("face", "source")


class Canvas:
    """Lays rendered squares into output frames; `size` is the output's width and height."""

    def __init__(
        self,
        header: StreamHeader,
        canvas: str,
        background: str | Path | None,
        face_size: int,
        context: ContextPlate | None = None,
    ) -> None:
        """See `facecodec.decoding.decode.decode`. context: the plate of the stream's own.

        Raises UsageError for options that do not fit."""
        if canvas not in CANVASES:
            raise UsageError(f"no canvas {canvas!r}; there are: {', '.join(CANVASES)}")
        if background and canvas != "source":
            raise UsageError("a background needs the canvas 'source'", argument="canvas")
        self.whole = canvas == "source"
        self.size = (face_size, face_size)
        if self.whole:  # 4:2:0 video needs even sides
            self.size = (header.width + header.width % 2, header.height + header.height % 2)
            check_picture_size(*self.size, "the source's frame, by the stream's header")
        self._pictures = _pictures(Path(background), self.size) if background else None
        self.damage: list[Damage] = []  # of the context
        own = context if self.whole and not background else None
        self._context = ContextView(own, self.size, self._lost)
        self._under = np.full((self.size[1], self.size[0], 3), PLAIN_GREY, np.uint8)
        self._compositor = Compositor()

    def take(self, pictures: ContextPictures) -> None:
        """Show these pictures of the context from now on, where it is shown."""
        self._context.take(pictures)

    def _lost(self, reason: str) -> None:
        self.damage.append(Damage(0, 0, reason))

    def __call__(self, face: Picture, frame: FrameRecord) -> Picture:
        """Return the output frame [H, W, 3] for a rendered square [S, S, 3]."""
        if not self.whole:
            return face
        if self._pictures is not None:
            self._under = next(self._pictures, self._under)
        else:
            shown = self._context.at(frame.pts)
            self._under = self._under if shown is None else shown
        if frame.placement is None:
            return self._under
        return self._compositor.lay(self._under, face, Alignment.from_array(frame.placement))


def _pictures(path: Path, size: tuple[int, int]) -> Iterator[Picture]:
    """Yield a picture for every frame, scaled to `size`; the last one stays."""
    with VideoReader(path) as reader:
        for frame in reader.frames():
            yield resize(frame.image, size)
