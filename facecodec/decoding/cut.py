"""Cut: a part of a stream as a stream of its own, without fitting or rendering anything."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.bitstream import (
    AudioPacket,
    Damage,
    FrameFlags,
    FrameRecord,
    StreamReader,
    StreamWriter,
    open_stream,
)
from facecodec.errors import FacecodecError, StreamError, UsageError


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
    start: Fraction | None = None,
    end: Fraction | None = None,
    force: bool = False,
) -> CutSummary:
    """Keep the frames and audio with start <= time < end, in seconds.

    The kept frames decode to the same controls, placement, flags and timestamps, bit for bit: the
    coded integers are coded again, nothing is quantised twice. Identity, tuning and audio are
    copied. Times stay those of the source. Frames that damage took come out as the decoder fills
    them in, flagged as of low confidence. Raises UsageError when no frame lies in the span.
    """
    refuse_overwrite(output, force, [source])
    stream = open_stream(source)
    frames = packets = 0
    with opened_whole(output) as file, StreamWriter(file, stream.header) as writer:
        _copy_person(stream, writer)
        for item in stream.items(start, end, audio=stream.audio is not None):
            if isinstance(item, AudioPacket):
                writer.write_audio(item)
                packets += 1
            else:
                writer.write_frame(item.pts, item.controls, item.placement, _flags(item))
                frames += 1
        if not frames:
            raise no_frames(stream, start, end)
    return CutSummary(frames, packets, writer.bytes_written, list(stream.damage))


def no_frames(stream: StreamReader, start: Fraction | None, end: Fraction | None) -> FacecodecError:
    """Return the error for a stream, or a span of it, without a single frame."""
    if start is None and end is None:
        return StreamError(f"{stream.name}: has no frame that can be read")
    return UsageError(f"{stream.name}: no frame between the start and end asked for")


def _copy_person(stream: StreamReader, writer: StreamWriter) -> None:
    """Copy everything that comes before the first frame."""
    if stream.identity_payload is not None:
        writer.write_identity_payload(stream.identity_payload)
    elif stream.identity_reference is not None:
        writer.write_identity_reference(stream.identity_reference)
    else:
        raise StreamError(f"{stream.name}: the identity is damaged; nothing can be cut from it")
    if stream.tuning is not None:
        writer.write_tuning(stream.tuning)
    if stream.audio is not None:
        writer.set_audio(stream.audio)


def _flags(frame: FrameRecord) -> FrameFlags:
    return frame.flags | FrameFlags.LOW_CONFIDENCE if frame.recovered else frame.flags
