"""Where a decoded face goes: the square itself, or its place in a frame of the source's size."""

from __future__ import annotations

from pathlib import Path

from facecodec.bitstream import (
    ContextPictures,
    ContextPlate,
    Damage,
    FrameRecord,
    StreamHeader,
)
from facecodec.compositing.compositor import Compositor
from facecodec.context.view import ContextView
from facecodec.decoding.background import BLUR, open_background
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment
from facecodec.picture_limits import check_picture_size
from facecodec.types import Picture

CANVASES = ("face", "source")


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

        Raises UsageError for options that do not fit.
        """
        if canvas not in CANVASES:
            raise UsageError(f"no canvas {canvas!r}; there are: {', '.join(CANVASES)}")
        self.whole = canvas == "source"
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

    def take(self, pictures: ContextPictures) -> None:
        """Show these pictures of the context from now on, where it is shown."""
        self._context.take(pictures)

    def _lost(self, reason: str) -> None:
        self.damage.append(Damage(0, 0, reason))

    def __call__(self, face: Picture, frame: FrameRecord) -> Picture:
        """Return the output frame [H, W, 3] for a rendered square [S, S, 3]."""
        if self._behind is None:
            return face
        place = self._place(face, frame)
        under = self._behind(face, place, self._context.at(frame.pts))
        return under if place is None else self.compositor.lay(under, face, place)

    def _place(self, face: Picture, frame: FrameRecord) -> Alignment | None:
        """Return where a square [S, S, 3] goes; None where a stream does not say."""
        if not self.whole:
            side = face.shape[0]
            return Alignment(side / 2, side / 2, side, 0.0)
        return None if frame.placement is None else Alignment.from_array(frame.placement)
