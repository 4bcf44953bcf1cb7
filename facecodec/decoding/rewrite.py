"""Write a stream's frames into another stream: a part of them, or with other controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import overload

from facecodec.atomic import opened_whole
from facecodec.bitstream import (
    AudioPacket,
    ContextPictures,
    ContextPlate,
    FrameFlags,
    FrameRecord,
    StreamHeader,
    StreamReader,
    StreamWriter,
)
from facecodec.errors import StreamError
from facecodec.types import Controls

Item = FrameRecord | AudioPacket | ContextPictures


def write_items(
    output: str | Path,
    header: StreamHeader,
    begin: Callable[[StreamWriter], None],
    items: Iterator[Item],
) -> tuple[int, int, int]:
    """Write a stream that appears whole or not at all; return its frames, audio packets and bytes.

    begin: writes what comes before the first frame. Frames that damage took are flagged as of low
    confidence. What `items` raises leaves no file.
    """
    packets = 0
    with opened_whole(output) as file, StreamWriter(file, header) as writer:
        begin(writer)
        for item in items:
            if isinstance(item, AudioPacket):
                writer.write_audio(item)
                packets += 1
            elif isinstance(item, ContextPictures):
                writer.write_context(item)
            else:
                writer.write_frame(item.pts, item.controls, item.placement, _flags(item))
    return writer.frames, packets, writer.bytes_written


def copy_beginning(
    stream: StreamReader, writer: StreamWriter, context: ContextPlate | None = None
) -> None:
    """Copy everything that comes before a stream's first frame, bit for bit.

    context: the plate of another context, in place of the stream's own.
    Raises StreamError when the identity is damaged.
    """
    if stream.identity_payload is not None:
        writer.write_identity_payload(stream.identity_payload)
    elif stream.identity_reference is not None:
        writer.write_identity_reference(stream.identity_reference)
    else:
        raise StreamError(f"{stream.name}: the identity is damaged; there is nobody to copy")
    if stream.tuning is not None:
        writer.write_tuning(stream.tuning)
    if stream.audio is not None:
        writer.set_audio(stream.audio)
    plate = context or stream.context_plate
    if plate is not None:
        writer.write_context_plate(plate)


@overload
def with_controls(
    items: Iterator[FrameRecord | AudioPacket], controls: Controls
) -> Iterator[FrameRecord | AudioPacket]: ...
@overload
def with_controls(items: Iterator[Item], controls: Controls) -> Iterator[Item]: ...
def with_controls(items: Iterator[Item], controls: Controls) -> Iterator[Item]:
    """Yield the items of as many frames as there are `controls` [T, K], with these controls."""
    frames = 0
    shown: ContextPictures | None = None
    for item in items:
        if isinstance(item, ContextPictures):
            shown = item
        elif isinstance(item, FrameRecord):
            if frames == len(controls):
                return
            if shown is not None:
                yield shown
                shown = None
            yield replace(item, controls=controls[frames])
            frames += 1
        else:
            yield item


def _flags(frame: FrameRecord) -> FrameFlags:
    return frame.flags | FrameFlags.LOW_CONFIDENCE if frame.recovered else frame.flags
