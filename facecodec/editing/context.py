"""Give a stream the context that its source shows, without encoding anything again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from facecodec.atomic import refuse_overwrite
from facecodec.avatar.avatar import Avatar
from facecodec.avatar.identity import identity_for
from facecodec.bitstream import (
    AudioPacket,
    ContextPictures,
    FrameRecord,
    StreamReader,
    StreamWriter,
    open_stream,
)
from facecodec.bitstream.coding.timing import usual_frames
from facecodec.context.av1 import check_encoder
from facecodec.context.make import MadeContext
from facecodec.context.plan import Wanted, check_context, plan_context
from facecodec.context.worth import Drawn, best_context
from facecodec.decoding.cut import no_frames
from facecodec.decoding.rewrite import copy_beginning, write_items
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment
from facecodec.progress import Progress, silent
from facecodec.video.reader import Frame, VideoReader


@dataclass(frozen=True)
class ContextSummary:
    """Frames of the stream, its bytes, and those of the context in it.

    moving: the share of the picture beside the face that does not stand still.
    """

    frames: int
    bytes: int
    context_bytes: int
    moving: float


class StreamSource:
    """The frames of a video that a stream was made of, with the placement that the stream says."""

    def __init__(self, stream: StreamReader, video: VideoReader) -> None:
        """Raise UsageError for a video of another size than the stream's source."""
        self._stream, self._video = stream, video
        self.width, self.height = video.width, video.height
        header = stream.header
        if (self.width, self.height) != (header.width, header.height):
            raise UsageError(
                f"{video.path}: has {self.width}x{self.height} pixels, the source of {stream.name} "
                f"{header.width}x{header.height}"
            )

    @cached_property
    def records(self) -> list[FrameRecord]:
        """Return the frames of the stream. Raises StreamError where there is none."""
        records = list(self._stream.frames())
        if not records:
            raise no_frames(self._stream, None, None)
        return records

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def alignments(self) -> list[Alignment]:
        """Return the square of every frame; that of a neighbour where it has none.

        Raises UsageError for a stream without any.
        """
        places = [frame.placement for frame in self.records]
        last = next((place for place in places if place is not None), None)
        if last is None:
            raise UsageError(f"{self._stream.name}: does not say where the face is in its source")
        squares = []
        for place in places:
            last = last if place is None else place
            squares.append(Alignment.from_array(last))
        return squares

    @property
    def duration(self) -> Fraction:
        """Return the seconds that the stream lasts."""
        header = self._stream.header
        step = 1 / header.frame_rate if header.frame_rate else Fraction(0)
        return (self.records[-1].pts - self.records[0].pts) * header.time_base + step

    def frames(self) -> Iterator[Frame]:
        """Yield the video's frame for every frame of the stream, found by its time.

        Raises UsageError where the video has none for that time.
        """
        base = self._stream.header.time_base
        wanted = iter(self.records)
        record = next(wanted)
        for frame in self._video.frames():
            if frame.pts * self._video.time_base == record.pts * base:
                yield Frame(record.pts, frame.image)
                following = next(wanted, None)
                if following is None:
                    return
                record = following
        raise UsageError(
            f"{self._video.path}: is not the source of {self._stream.name}: it has no frame at "
            f"{float(record.pts * base):.3f} s"
        )


def add_context(
    source: str | Path,
    video: str | Path,
    output: str | Path,
    context: Wanted,
    *,
    force: bool = False,
    progress: Progress = silent,
) -> ContextSummary:
    """Write a stream again with the context that its source shows; nothing is fitted.

    Some frames of a tuned person are drawn, to learn whether their context is to show the face.

    source: a `.fcv` file; what context it has is replaced. video: what it was encoded from.
    output: the new stream. context: 'still', or bits a second (see `facecodec.encode`). force:
    overwrite `output`. progress: see `facecodec.encode`.
    Raises UsageError for a video that is not the stream's source, for no context that there is, or
    when `output` exists and `force` is not set; StreamError when the source is no stream;
    FacecodecError where this machine's libav cannot code a context; ModelError where the generator
    of a tuned person is not installed.
    """
    refuse_overwrite(output, force, [source, video])
    bits = check_context(context)
    if bits is None:
        raise UsageError("no context is asked for", argument="context")
    check_encoder()
    with open_stream(source) as stream, VideoReader(Path(video)) as reader:
        placed = StreamSource(stream, reader)
        rate = stream.header.frame_rate
        plan = plan_context(bits, (placed.width, placed.height), rate, placed.duration)
        drawn = None if plan.still else _drawn(stream, placed.records)
        made = best_context(placed, plan, usual_frames(stream.header), drawn, progress)

        def begin(writer: StreamWriter) -> None:
            """Write what comes before the first frame."""
            copy_beginning(stream, writer, context=made.plate)

        items = _with_context(stream, made, usual_frames(stream.header))
        spent = [len(made.plate.data)]
        frames, _, size = write_items(output, stream.header, begin, _counted(items, spent))
    return ContextSummary(frames, size, sum(spent), made.moving)


def _drawn(stream: StreamReader, records: list[FrameRecord]) -> Drawn | None:
    """Return the person of a stream where they have a tuning, as far as can be known here."""
    if stream.person_tuning(identity_for(stream)) is None:
        return None
    return Drawn(Avatar.from_stream(stream), np.stack([frame.controls for frame in records]))


def _with_context(
    stream: StreamReader, made: MadeContext, segment_frames: int
) -> Iterator[FrameRecord | AudioPacket | ContextPictures]:
    """Yield the items of a stream, each segment's context before its first frame."""
    frames = 0
    for item in stream.items(audio=stream.audio is not None):
        if isinstance(item, FrameRecord):
            part = next(made.parts, None) if frames % segment_frames == 0 else None
            if part is not None:
                yield part
            frames += 1
        yield item


def _counted(
    items: Iterator[FrameRecord | AudioPacket | ContextPictures], spent: list[int]
) -> Iterator[FrameRecord | AudioPacket | ContextPictures]:
    """Pass items on, and add the bytes of pictures to `spent`."""
    for item in items:
        if isinstance(item, ContextPictures):
            spent.append(sum(map(len, item.packets)))
        yield item
