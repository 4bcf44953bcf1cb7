"""Where a decoded face goes: the square itself, or its place in a frame of the source's size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from facecodec.bitstream import (
    ContextPictures,
    ContextPlate,
    Damage,
    FrameRecord,
    StreamHeader,
)
from facecodec.compositing.compositor import Compositor
from facecodec.compositing.painting import small_square
from facecodec.compositing.placing import frame_in_square
from facecodec.compositing.retouch import Retouching, difference, trusted
from facecodec.context.av1 import shows_face
from facecodec.context.view import ContextView
from facecodec.decoding.background import BLUR, open_background
from facecodec.decoding.notes import PROVENANCE
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment, scaled
from facecodec.face.crop import crop
from facecodec.face.matte import INPUT_SIZE
from facecodec.picture_limits import check_picture_size
from facecodec.types import Picture

CANVASES = ("face", "source")
SIZE = 2  # the column of a placement that is its side
COLOURS = 3
MOST_HELD = 16  # frames that wait for the next picture of a context


class _Waiting(NamedTuple):
    """A frame that waits for the next picture of its context: its square, and what is behind it."""

    face: Picture
    frame: FrameRecord
    place: Alignment | None
    under: Picture


class Canvas:
    """Lays rendered squares into output frames.

    size: the output's width and height. compositor: how squares are laid over what is behind them.
    """

    def __init__(
        self,
        header: StreamHeader,
        canvas: str,
        background: str | Path | None,
        face_size: int,
        context: ContextPlate | None = None,
    ) -> None:
        """See `facecodec.decoding.decode.decode`. context: the plate of the stream's own.

        A context that shows the face retouches it: the encoder has measured that it is worth it.
        Raises UsageError for options that do not fit.
        """
        if canvas not in CANVASES:
            raise UsageError(f"no canvas {canvas!r}; there are: {', '.join(CANVASES)}")
        self.whole, self._side = canvas == "source", face_size
        self.size = (face_size, face_size)
        if self.whole:  # 4:2:0 video needs even sides
            self.size = (header.width + header.width % 2, header.height + header.height % 2)
            check_picture_size(*self.size, "the source's frame, by the stream's header")
        self.damage: list[Damage] = []  # of the context
        own = context if self.whole and background in (None, BLUR) else None
        self._context = ContextView(own, self.size, self._lost)
        self._behind = None
        if self.whole or background:
            self._behind = open_background(background, self.size)
        self.compositor = Compositor(same_scene=own is not None and background is None)
        # What was recorded may be retouched by what the camera saw; what was made up may not.
        retouched = PROVENANCE not in header.metadata and shows_face(own)
        self._retouching = Retouching() if retouched else None
        self._waiting: deque[_Waiting] = deque()
        self._known: int | None = None  # the time of the last picture that retouches

    def needed(self, frame: FrameRecord) -> int | None:
        """Return the side in pixels that a frame's square is to be drawn at; None for the largest.

        In a frame where it is at most half as large as it can be drawn, it would be halved.
        """
        if not self.whole or frame.placement is None:
            return None
        sides = (self._side // 4, self._side // 2)
        return next((side for side in sides if frame.placement[SIZE] <= side), None)

    def retouches(self, frame: FrameRecord) -> bool:
        """Return whether others are retouched by this frame's square: it shows a new picture."""
        return self._retouching is not None and self._context.comes(frame.pts)

    def take(self, pictures: ContextPictures) -> None:
        """Show these pictures of the context from now on, where it is shown."""
        self._context.take(pictures)

    def _lost(self, reason: str) -> None:
        self.damage.append(Damage(0, 0, reason))

    def __call__(self, face: Picture, frame: FrameRecord) -> Picture:
        """Return the output frame [H, W, 3] for a rendered square [S, S, 3], at once."""
        if self._behind is None:
            return face
        newest = self._of(face, frame)
        coming = self._learnt(newest)
        return self._laid(newest, None if coming is None else (frame.pts, coming))

    def add(
        self, face: Picture, frame: FrameRecord, under: Picture | None = None
    ) -> Iterator[tuple[Picture, FrameRecord]]:
        """Take the next rendered square [S, S, 3]; yield the output frames [H, W, 3] now ready.

        under [H, W, 3]: what is behind it; the context or the background when None.
        In order, each with its own record. Where the context retouches the face, a frame waits for
        the next picture of it, so that it may change evenly up to there.
        """
        if under is None and self._retouching is None:
            yield self(face, frame), frame
            return
        newest = self._of(face, frame, under)
        if self._retouching is None:
            yield self._laid(newest, None), frame
            return
        self._waiting.append(newest)
        coming = self._learnt(newest)
        if coming is not None:
            yield from self._all(len(self._waiting), (frame.pts, coming))
        elif len(self._waiting) > MOST_HELD:
            yield from self._all(1)

    def rest(self) -> Iterator[tuple[Picture, FrameRecord]]:
        """Yield the frames that still wait: no more come."""
        yield from self._all(len(self._waiting))

    def _of(self, face: Picture, frame: FrameRecord, under: Picture | None = None) -> _Waiting:
        """Return a square [S, S, 3] with its place and what is behind it."""
        place = self._place(face, frame)
        if under is not None:
            self._context.come_to(frame.pts)
            return _Waiting(face, frame, place, under)
        assert self._behind is not None
        return _Waiting(face, frame, place, self._behind(face, place, self._context.at(frame.pts)))

    def _learnt(self, newest: _Waiting) -> Tensor | None:
        """Return what a drawn square lacks, where a new picture of its context shows it."""
        time, place = self._context.time, newest.place
        if self._retouching is None or place is None or time is None or time == self._known:
            return None
        shown = self._context.small
        if shown is None:
            return None
        self._known = time
        scale = shown.shape[1] / self.size[0]
        seen = crop(shown, scaled(place, scale), INPUT_SIZE).astype(np.float32)
        within = frame_in_square(place, self.size, INPUT_SIZE)
        drawn = small_square(newest.face)
        context = torch.from_numpy(seen).permute(2, 0, 1)
        trust = trusted(context, drawn) * within
        return torch.cat([difference(context, drawn, within), trust[None]])

    def _all(
        self, count: int, coming: tuple[int, Tensor] | None = None
    ) -> Iterator[tuple[Picture, FrameRecord]]:
        """Yield the first frames that wait. coming: what the next picture retouches, and when."""
        for _ in range(count):
            first = self._waiting.popleft()
            yield self._laid(first, coming), first.frame

    def _laid(self, first: _Waiting, coming: tuple[int, Tensor] | None) -> Picture:
        """Return a frame [H, W, 3] with its square laid over what is behind it."""
        face, frame, place, under = first
        light = trust = None
        if self._retouching is not None:
            both = self._retouching.towards(frame.pts, coming)
            if both is not None:
                light, trust = both[:COLOURS], both[COLOURS]
        if place is None:
            return under
        return self.compositor.lay(under, face, place, light=light, trust=trust)

    def _place(self, face: Picture, frame: FrameRecord) -> Alignment | None:
        """Return where a square [S, S, 3] goes; None where a stream does not say."""
        if not self.whole:
            side = face.shape[0]
            return Alignment(side / 2, side / 2, side, 0.0)
        return None if frame.placement is None else Alignment.from_array(frame.placement)
