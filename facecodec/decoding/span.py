"""A part of a stream: from one time to another, at most some frames; sound ends with them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import overload

from facecodec.bitstream import AudioPacket, ContextPictures, FrameRecord, StreamReader

Item = FrameRecord | AudioPacket
AnyItem = Item | ContextPictures


@overload
def spanned(
    stream: StreamReader, start: Fraction | None, end: Fraction | None, audio: bool = True
) -> Iterator[Item]: ...
@overload
def spanned(
    stream: StreamReader,
    start: Fraction | None,
    end: Fraction | None,
    audio: bool = True,
    context: bool = False,
) -> Iterator[AnyItem]: ...


def spanned(
    stream: StreamReader,
    start: Fraction | None,
    end: Fraction | None,
    audio: bool = True,
    context: bool = False,
) -> Iterator[AnyItem]:
    """Yield a stream's frames, audio and, if asked for, context with start <= time < end.

    In seconds from its first frame, whose own time, which a stream keeps from its source, may be
    any.
    """
    if start is None and end is None:
        return stream.items(audio=audio, context=context)
    if not stream.seekable:
        return _filtered(stream, start, end, audio, context)
    begin = _begin(stream)
    return stream.items(
        None if start is None else start + begin,
        None if end is None else end + begin,
        audio,
        context,
    )


@overload
def limited(
    items: Iterator[Item], max_frames: int | None, stream: StreamReader
) -> Iterator[Item]: ...
@overload
def limited(
    items: Iterator[AnyItem], max_frames: int | None, stream: StreamReader
) -> Iterator[AnyItem]: ...
def limited(
    items: Iterator[AnyItem], max_frames: int | None, stream: StreamReader
) -> Iterator[AnyItem]:
    """Pass items on until `max_frames` frames have gone by, and sound until the last one ends."""
    if max_frames is None:
        yield from items
        return
    base, heard = stream.header.time_base, stream.audio.time_base if stream.audio else Fraction(1)
    rate = stream.header.frame_rate
    step = 1 / rate if rate else Fraction(0)
    held: list[AudioPacket] = []
    frames, last = 0, None
    shown: ContextPictures | None = None
    for item in items:
        if isinstance(item, AudioPacket):
            held.append(item)
            continue
        if isinstance(item, ContextPictures):
            shown = item
            continue
        if frames >= max_frames:
            end = (last or Fraction(0)) + step
            yield from (packet for packet in held if packet.pts * heard < end)
            return
        time = item.pts * base
        step = step if rate or last is None else time - last
        frames, last = frames + 1, time
        while held and held[0].pts * heard <= time:
            yield held.pop(0)
        if shown is not None:
            yield shown
            shown = None
        yield item
    yield from held


def _begin(stream: StreamReader) -> Fraction:
    first = next(stream.frames(), None)
    return first.pts * stream.header.time_base if first else Fraction(0)


def _filtered(
    stream: StreamReader,
    start: Fraction | None,
    end: Fraction | None,
    audio: bool,
    context: bool,
) -> Iterator[AnyItem]:
    """Do the same for a pipe, whose first frame is known only once it has come."""
    begin: Fraction | None = None
    held: list[AudioPacket] = []
    heard = stream.audio.time_base if stream.audio else Fraction(1)

    def inside(time: Fraction) -> bool:
        after = start is None or time >= start
        return after and (end is None or time < end)

    shown: ContextPictures | None = None
    for item in stream.items(audio=audio, context=context):
        if isinstance(item, ContextPictures):
            shown = item
            continue
        if isinstance(item, AudioPacket):
            if begin is None:
                held.append(item)
            elif inside(item.pts * heard - begin):
                yield item
            continue
        time = item.pts * stream.header.time_base
        if begin is None:
            begin = time
            yield from (packet for packet in held if inside(packet.pts * heard - time))
        if end is not None and time - begin >= end:
            return
        if inside(time - begin):
            if shown is not None:
                yield shown
                shown = None
            yield item
