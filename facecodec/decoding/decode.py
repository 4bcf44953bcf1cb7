"""Decode: a stream to video, pictures or a pipe, in constant memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.avatar.render import Renderer
from facecodec.bitstream import (
    AudioPacket,
    Damage,
    FrameRecord,
    StreamReader,
    load_identity_file,
    open_stream,
)
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.cut import no_frames
from facecodec.decoding.worker import Background
from facecodec.errors import StreamError
from facecodec.generator.base import Generator
from facecodec.models import load_models, model_named_by
from facecodec.progress import Progress, silent
from facecodec.rig.rig import Rig
from facecodec.version import __version__
from facecodec.video.audio import AudioTrack
from facecodec.video.writer import Sink, open_sink, refuse_output


@dataclass(frozen=True)
class DecodeSummary:
    """What a decode did: frames written, seconds in all and in rendering, damage of the stream."""

    frames: int
    seconds: float
    rendering: float
    audio: bool
    audio_dropped: str | None
    damage: list[Damage]


def load_stream_models(
    stream: StreamReader, rig: str | Path | None, device: str
) -> tuple[Generator, Rig]:
    """Load the generator and rig a stream names. Raises ModelError, StreamError for another rig."""
    header = stream.header
    name = model_named_by(header.generator_sha256.hex(), header.generator_name)
    generator, the_rig = load_models(name, Path(rig) if rig else None, device)
    if bytes.fromhex(the_rig.sha256) != header.rig_sha256:
        raise StreamError(
            f"{stream.name}: made with rig {header.rig_sha256.hex()[:12]}, this is "
            f"{the_rig.sha256[:12]}; pass the one it was made with: --rig FILE"
        )
    return generator, the_rig


def decode(
    source: str | Path,
    output: str | Path,
    *,
    size: int | None = None,
    start: Fraction | None = None,
    end: Fraction | None = None,
    max_frames: int | None = None,
    identity: str | Path | None = None,
    rig: str | Path | None = None,
    device: str = "auto",
    canvas: str = "face",
    background: str | Path | None = None,
    audio: bool = True,
    force: bool = False,
    progress: Progress = silent,
) -> DecodeSummary:
    """Render a `.fcv` stream; `-` is standard input.

    output: .mp4, .mkv, .mov, .webm, .y4m, a picture pattern (`frames/%06d.png`), or '-' for y4m
    on standard output. size: a side of the face square in pixels. canvas: 'face' for the aligned
    square, 'source' to lay the face where it was into a frame of the source's size, over
    `background` (a picture or video) where given. identity: the `.fci` file a stream refers to.
    """
    output = str(output)
    refuse_output(output, force, [source, identity, background])
    stream = open_stream(source)
    generator, the_rig = load_stream_models(stream, rig, device)
    identity_file = load_identity_file(identity) if identity else None
    w_plus = stream.identity(generator.w_mean.cpu().numpy(), identity_file)
    renderer = Renderer(generator, the_rig, w_plus, size, stream.person_tuning(identity_file))
    place = Canvas(stream.header, canvas, background, renderer.size)
    track = audio_track(stream) if audio else None
    header = stream.header
    # a puppet stays one when its stream is decoded
    comment = header.metadata.get("provenance", "rendered by a face codec")
    metadata = {"encoder": f"facecodec {__version__}", "comment": comment}
    begin = time.perf_counter()
    with open_sink(
        output, place.size, header.time_base, header.frame_rate, track, metadata
    ) as sink:
        items = limited(stream.items(start, end, audio=sink.takes_audio), max_frames)
        total = None if start or end else max_frames
        if total is None and stream.seekable and not (start or end):
            total = stream.index().frames
        frames, rendering = render_items(items, renderer, place, sink, total, progress)
        if frames == 0:  # raised in here, so that nothing is published
            raise no_frames(stream, start, end)
    return DecodeSummary(
        frames,
        round(time.perf_counter() - begin, 3),
        round(rendering, 3),
        sink.takes_audio,
        track.codec if track and not sink.takes_audio else None,
        list(stream.damage),
    )


def audio_track(stream: StreamReader) -> AudioTrack | None:
    """Return the audio parameters of a stream as the video room wants them."""
    given = stream.audio
    if given is None:
        return None
    return AudioTrack(
        given.codec, given.sample_rate, given.channels, given.extradata, given.time_base
    )


def limited(
    items: Iterator[FrameRecord | AudioPacket], max_frames: int | None
) -> Iterator[FrameRecord | AudioPacket]:
    """Pass items on until `max_frames` frames have gone by."""
    frames = 0
    for item in items:
        if isinstance(item, FrameRecord):
            if max_frames is not None and frames >= max_frames:
                return
            frames += 1
        yield item


def render_items(
    items: Iterator[FrameRecord | AudioPacket],
    renderer: Renderer,
    place: Canvas,
    sink: Sink,
    total: int | None,
    progress: Progress,
) -> tuple[int, float]:
    """Render frames and pass audio through; writing overlaps the next render.

    Returns the number of frames and the seconds spent rendering.
    """
    frames, rendering = 0, 0.0

    def write(image: NDArray[np.uint8], item: FrameRecord) -> None:
        sink.write(place(image, item), item.pts)

    with Background() as background:
        for item in items:
            if isinstance(item, AudioPacket):
                background.submit(sink.write_audio, item)
                continue
            begin = time.perf_counter()
            image = renderer(item.controls[None])[0]
            rendering += time.perf_counter() - begin
            background.submit(write, image, item)
            frames += 1
            progress("rendering", frames, total)
    return frames, rendering
