"""Cut: a part of a stream as a stream of its own, without fitting or rendering anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from facecodec.atomic import refuse_overwrite
from facecodec.bitstream import Damage, FrameRecord, StreamReader, open_stream
from facecodec.decoding.rewrite import Item, copy_beginning, write_items
from facecodec.decoding.span import spanned
from facecodec.errors import FacecodecError, StreamError, UsageError
from facecodec.seconds import Time, between


@dataclass(frozen=True)
class CutSummary:
    """Frames and audio packets kept, bytes of the new stream, damage met in the old one."""

    frames: int
    packets: int
    bytes: int
    damage: list[Damage]


def cut(
    source: str | Path,
    output: str | Path,
    *,
    start: Time | None = None,
    end: Time | None = None,
    force: bool = False,
) -> CutSummary:
    """Keep the frames and audio with start <= time < end, in seconds from the first frame.

    source, output: `.fcv` files. start, end: 12.5, "1:30" or a Fraction; None is the stream's own.
    The kept frames decode to the same controls, placement, flags and timestamps, bit for bit: the
    coded integers are coded again, nothing is quantised twice. Identity, tuning and audio are
    copied. Times stay those of the source. Frames that damage took come out as the decoder fills
    them in, flagged as of low confidence.
    Raises UsageError when no frame lies in the span or `output` exists and `force` is not set,
    StreamError when the source is no stream or its identity is damaged.
    """
    refuse_overwrite(output, force, [source])
    stream, span = open_stream(source), between(start, end)
    items = spanned(stream, *span, audio=stream.audio is not None, context=True)
    begin, none = partial(copy_beginning, stream), no_frames(stream, *span)
    frames, packets, size = write_items(output, stream.header, begin, _some(items, none))
    return CutSummary(frames, packets, size, list(stream.damage))


def no_frames(stream: StreamReader, start: Fraction | None, end: Fraction | None) -> FacecodecError:
    """Return the error for a stream, or a span of it, without a single frame."""
    if start is None and end is None:
        return StreamError(f"{stream.name}: has no frame that can be read")
    return UsageError(f"{stream.name}: no frame between the start and end asked for")


def _some(items: Iterator[Item], none: FacecodecError) -> Iterator[Item]:
    """Pass items on; at their end, raise `none` when no frame was among them."""
    frames = 0
    for item in items:
        frames += isinstance(item, FrameRecord)
        yield item
    if not frames:
        raise none
