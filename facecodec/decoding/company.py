"""Several people of one picture: heads of other streams, laid into the frames of a first one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import (
    ContextPictures,
    Damage,
    FrameRecord,
    StreamReader,
    open_stream,
)
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.span import AnyItem
from facecodec.decoding.steady import steadied
from facecodec.errors import UsageError
from facecodec.types import Picture

Frames = Iterator[tuple[Picture, FrameRecord]]

NOBODY = np.zeros((1, 1, 3), np.uint8)  # the square of a person who is not in a frame


class Companion:
    """One more person: their stream, and where their head goes.

    Drawn on one thread (`draw`), laid on another (`add`), in the same order.
    """

    def __init__(self, source: str | Path, first: StreamReader, avatar: Avatar) -> None:
        """`first`: the stream whose frames they are laid into; `avatar`: of the person there.

        Raises UsageError for a stream of another source, and what `open_stream` and
        `Avatar.from_stream` raise.
        """
        self.stream = open_stream(source)
        here, there = self.stream.header, first.header
        if (here.width, here.height) != (there.width, there.height):
            raise UsageError(
                f"{self.stream.name}: is of a source of {here.width}x{here.height} pixels, and "
                f"{first.name} of one of {there.width}x{there.height}",
                argument="also",
            )
        same = (here.generator_sha256, here.rig_sha256) == (
            there.generator_sha256,
            there.rig_sha256,
        )
        model = avatar.model if same else None
        device = avatar.model.device
        self._avatar = Avatar.from_stream(self.stream, model=model, device=device)
        side = self._avatar.side(None)
        self._canvas = Canvas(here, "source", None, side, first.context_plate)
        self._units = there.time_base / here.time_base
        items = steadied(self.stream.items(audio=False), here.placement_steps)
        self._frames = (item for item in items if isinstance(item, FrameRecord))
        self._next = next(self._frames, None)
        self._drawn: dict[int, tuple[Picture, FrameRecord]] = {}
        self._coming: deque[ContextPictures] = deque()

    def draw(self, pts: int) -> None:
        """Draw what is to be laid into the frame at a time, in units of the first stream's base."""
        time = pts * self._units
        while self._next is not None and Fraction(self._next.pts) < time:
            self._next = next(self._frames, None)
        frame = self._next
        if frame is not None and frame.pts == time:
            size = self._canvas.needed(frame)
            self._drawn[pts] = self._avatar.render(frame.controls[None], size)[0], frame

    def take(self, pictures: ContextPictures) -> None:
        """Have pictures of the context ready for the frames from theirs on."""
        self._coming.append(pictures)

    def add(self, picture: Picture, record: FrameRecord) -> Frames:
        """Take the next frame [H, W, 3] of the others; yield those that now have this head too."""
        while self._coming and min(self._coming[0].pts, default=0) <= record.pts:
            self._canvas.take(self._coming.popleft())
        face, frame = self._drawn.pop(record.pts, (NOBODY, replace(record, placement=None)))
        own = replace(frame, index=record.index, pts=record.pts)
        yield from self._canvas.add(face, own, picture)

    def rest(self) -> Frames:
        """Yield the frames that still wait: no more come."""
        yield from self._canvas.rest()

    @property
    def damage(self) -> list[Damage]:
        """Return what was lost of their stream."""
        return self.stream.damage


class Company:
    """A canvas on which other people's heads are laid too, one after another."""

    def __init__(self, canvas: Canvas, others: Sequence[Companion]) -> None:
        """`others`: the last one lies above all."""
        self.size, self.whole = canvas.size, canvas.whole
        self._canvas, self._others = canvas, others

    def drawn(self, items: Iterator[AnyItem]) -> Iterator[AnyItem]:
        """Pass a stream's items on, having drawn what others look like in each of its frames."""
        for item in items:
            for other in self._others:
                if isinstance(item, FrameRecord):
                    other.draw(item.pts)
                elif isinstance(item, ContextPictures):
                    other.take(item)
            yield item

    def needed(self, frame: FrameRecord) -> int | None:
        """See `Canvas.needed`."""
        return self._canvas.needed(frame)

    def take(self, pictures: ContextPictures) -> None:
        """See `Canvas.take`."""
        self._canvas.take(pictures)

    def add(self, face: Picture, frame: FrameRecord) -> Frames:
        """See `Canvas.add`."""
        ready: Frames = self._canvas.add(face, frame)
        for other in self._others:
            ready = self._with(other, ready)
        return ready

    def rest(self) -> Frames:
        """See `Canvas.rest`."""
        ready: Frames = self._canvas.rest()
        for other in self._others:
            ready = chain(self._with(other, ready), other.rest())
        return ready

    @property
    def damage(self) -> list[Damage]:
        """Return what was lost of the context, and of the others' streams."""
        return [*self._canvas.damage, *(lost for other in self._others for lost in other.damage)]

    @staticmethod
    def _with(other: Companion, ready: Frames) -> Frames:
        """Yield frames with another's head."""
        for picture, record in ready:
            yield from other.add(picture, record)
