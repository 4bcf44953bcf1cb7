"""Decode: a stream to video, pictures or a pipe, in constant memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facecodec.arguments import whole_or_none
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import (
    AudioPacket,
    ContextPictures,
    Damage,
    FrameRecord,
    StreamReader,
    open_stream,
)
from facecodec.bitstream.audio import AudioParameters
from facecodec.context.av1 import is_shown
from facecodec.decoding.background import background_file
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.company import Companion, Company
from facecodec.decoding.cut import no_frames
from facecodec.decoding.notes import RENDERED_COMMENT
from facecodec.decoding.resample import check_fps, resampled
from facecodec.decoding.span import AnyItem, limited, spanned
from facecodec.decoding.steady import steadied
from facecodec.decoding.worker import Background
from facecodec.errors import UsageError
from facecodec.models import Device
from facecodec.progress import Progress, silent
from facecodec.seconds import Time, between
from facecodec.types import Controls, Picture
from facecodec.version import __version__
from facecodec.video.coding import USUALLY, Writing, check_writing
from facecodec.video.matroska_sink import MatroskaSink
from facecodec.video.writer import (
    Sink,
    check_output,
    check_pipe_format,
    is_still,
    open_sink,
    refuse_output,
)


@dataclass(frozen=True)
class DecodeSummary:
    """What a decode did.

    frames written; seconds in all and in rendering; whether the output has audio, the codec of
    audio that it could not take, and the codec that audio was coded into where the container does
    not take its own; damage met in the stream.
    """

    frames: int
    seconds: float
    rendering: float
    audio: bool
    audio_dropped: str | None
    damage: list[Damage]
    audio_recoded: str | None = None


def decode(
    source: str | Path,
    output: str | Path,
    *,
    size: int | None = None,
    start: Time | None = None,
    end: Time | None = None,
    max_frames: int | None = None,
    identity: str | Path | None = None,
    rig: str | Path | None = None,
    device: Device = "auto",
    canvas: str | None = None,
    background: str | Path | None = None,
    also: Sequence[str | Path] = (),
    audio: bool = True,
    keep_times: bool = False,
    fps: Time | None = None,
    codec: str | None = None,
    crf: int | None = None,
    bits: int | None = None,
    format: str | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> DecodeSummary:
    """Render a `.fcv` stream.

    source: the stream; '-' is standard input. output: a video (.mp4, .mkv, .mov, .webm), .y4m, a
    moving picture (.gif, .webp), one picture (.png, .jpg: the first frame), a picture pattern
    (`frames/%06d.png`), a virtual camera (/dev/video9), or '-' for standard output.
    size: a side of the face square in pixels: the generator's resolution (when None), half or a
    quarter of it. start, end: seconds from the first frame (12.5, "1:30" or a Fraction): the
    frames with start <= time < end. max_frames: at most this many.
    identity: the `.fci` file that a stream may refer to; without it, the right one is looked for
    beside the stream. rig: a rig file, for a generator without its own.
    device: 'auto', 'cpu', 'cuda' or a `torch.device`.
    canvas: 'face' for the aligned square, 'source' to lay the face where it was into a frame of
    the source's size, over the stream's context. When None, 'source' for a stream with a context
    that can be shown here, else 'face'. background: what is behind the person instead of that: a
    picture or a video; "blur", the same out of focus; or a colour, "#rrggbb" or an HTML name.
    also: streams of other people in the same picture, whose heads are laid into its frames too.
    audio: keep the stream's audio; a container that does not take its codec has it coded again.
    keep_times: frames keep the times they have in the source; otherwise the output begins at 0.
    fps: frames a second, between which controls are interpolated; those of the stream when None.
    codec: of a video: 'x264', 'x265', 'av1', 'vp9', 'prores', 'ffv1', or one of a device, such as
    'h264_nvenc', 'hevc_videotoolbox' or 'av1_qsv'; the container's usual one when None. crf: its
    quality, 0 the best. bits: a channel, 8 or 10.
    format: of standard output: 'y4m' (when None), or 'matroska', which has the audio too, says its
    colours, and comes a frame at a time.
    force: overwrite the output. progress: called with a stage's name, the units done and their
    number (None if unknown).

    Damage in the stream is passed over: what it took is interpolated, and it is told in the result.
    Raises UsageError for an output that is in the way or cannot be named, a missing file, a size
    or a canvas that there is not; StreamError for a file that is no stream or holds no such frame,
    and where the identity file is missing; ModelError when the generator is not installed.
    """
    output, span = str(output), between(start, end)
    whole_or_none(max_frames, "max_frames", 1)
    check_pipe_format(output, format)
    how = Writing(keep_times, codec, crf, bits, check_fps(fps))
    check_output(output)
    check_writing(output, how)
    if is_still(output):
        max_frames = 1
    refuse_output(output, force, [source, identity, rig, background_file(background), *also])
    stream = open_stream(source)
    avatar = Avatar.from_stream(stream, identity, rig=rig, device=device)
    context = stream.context_plate
    canvas = canvas or ("source" if also or is_shown(context) else "face")
    if also and (canvas == "face" or background is not None or how.fps is not None):
        raise UsageError(
            "other people appear in the source's frames: with no other canvas, background or rate",
            argument="also",
        )
    alone = Canvas(stream.header, canvas, background, avatar.side(size), context)
    place = Company(alone, [Companion(other, stream, avatar) for other in also])
    total = max_frames
    if span != (None, None):
        total = None
    elif total is None and stream.seekable:
        total = stream.index().frames
    begin = time.perf_counter()
    track = stream.audio if audio else None
    # a puppet stays one when its stream is decoded
    comment = stream.header.metadata.get("provenance", RENDERED_COMMENT)
    with open_output(output, stream, place, track, comment, how, format) as sink:
        wanted = spanned(stream, *span, audio=sink.takes_audio, context=place.whole)
        items = limited(wanted, max_frames, stream)
        if place.whole:
            items = steadied(items, stream.header.placement_steps)
        if how.fps is not None:
            items, total = resampled(items, stream.header, how.fps), None
        items = place.drawn(items)

        def draw(controls: Controls, needed: int | None) -> Picture:
            """Draw the person as large as is asked for, or as is needed."""
            return avatar.render(controls, needed if size is None else size)

        frames, rendering = render_items(
            items, draw, place, sink, total, progress, by_number=how.fps is not None
        )
        if frames == 0:  # raised in here, so that nothing is published
            raise no_frames(stream, *span)
    return DecodeSummary(
        frames,
        round(time.perf_counter() - begin, 3),
        round(rendering, 3),
        sink.takes_audio,
        track.codec if track and not sink.takes_audio else None,
        [*stream.damage, *place.damage],
        sink.recoded,
    )


def open_output(
    output: str,
    stream: StreamReader,
    place: Canvas | Company,
    track: AudioParameters | None,
    comment: str,
    how: Writing = USUALLY,
    piped: str | None = None,
) -> Sink:
    """Open a video for a stream's frames, as large as `place` lays them out.

    piped: the format of what goes down a pipe, where that is not y4m.
    """
    header = stream.header
    metadata = {"encoder": f"facecodec {__version__}", "comment": comment}
    base, rate = header.time_base, header.frame_rate
    if how.fps is not None:
        base, rate = 1 / how.fps, how.fps
    if piped == "matroska":
        return MatroskaSink(Path(output), place.size, base, track, metadata, how.keep_times)
    return open_sink(output, place.size, base, rate, track, metadata, how)


def render_items(
    items: Iterator[AnyItem],
    draw: Callable[[Controls, int | None], Picture],
    place: Canvas | Company,
    sink: Sink,
    total: int | None,
    progress: Progress,
    by_number: bool = False,
) -> tuple[int, float]:
    """Render frames and pass audio through; writing overlaps the next render.

    draw: controls [1, K] to pictures uint8 [1, S, S, 3], S as large as it says or, where that is
    None, as it likes. by_number: the time of a frame is its
    number, and not its pts. Returns the number of frames and the
    seconds spent rendering.
    """
    frames, rendering = 0, 0.0

    def write(image: Picture, item: FrameRecord) -> None:
        """Take a square [S, S, 3], and write the frames that the canvas has ready."""
        out(place.add(image, item))

    def out(ready: Iterator[tuple[Picture, FrameRecord]]) -> None:
        """Write frames [H, W, 3]."""
        for picture, record in ready:
            sink.write(picture, record.index if by_number else record.pts)

    with Background(sink.cancel) as background:
        for item in items:
            if isinstance(item, AudioPacket):
                background.submit(sink.write_audio, item)
                continue
            if isinstance(item, ContextPictures):
                background.submit(place.take, item)
                continue
            begin = time.perf_counter()
            image = draw(item.controls[None], place.needed(item))[0]
            rendering += time.perf_counter() - begin
            background.submit(write, image, item)
            frames += 1
            progress("rendering", frames, total)
        background.submit(lambda: out(place.rest()))
    return frames, rendering
