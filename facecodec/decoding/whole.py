"""Some frames of a stream as `decode` shows them in their source's frame."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import AudioPacket, ContextPictures, FrameRecord, StreamReader
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.steady import steadied
from facecodec.types import Picture


def whole_frames(
    stream: StreamReader, who: Avatar, wanted: Collection[int]
) -> Iterator[tuple[FrameRecord, Picture]]:
    """Yield the wanted frames of a stream in order, by their numbers, and what each looks like.

    Pictures are uint8 RGB [H, W, 3], as large as the source's frames but for a row or column that
    makes sides even. Others are drawn only where the wanted ones depend on them.
    """
    header = stream.header
    canvas = Canvas(header, "source", None, who.side(None), stream.context_plate)
    for item in steadied(stream.items(audio=False, context=True), header.placement_steps):
        if isinstance(item, ContextPictures):
            canvas.take(item)
        elif not isinstance(item, AudioPacket) and (item.index in wanted or canvas.retouches(item)):
            face = who.render(item.controls[None], canvas.needed(item))[0]
            yield from _of(canvas.add(face, item), wanted)
    yield from _of(canvas.rest(), wanted)


def _of(
    ready: Iterator[tuple[Picture, FrameRecord]], wanted: Collection[int]
) -> Iterator[tuple[FrameRecord, Picture]]:
    """Yield the frames that are wanted."""
    for picture, frame in ready:
        if frame.index in wanted:
            yield frame, picture
