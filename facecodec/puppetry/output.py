"""A puppet's frames as a stream or a video, with its driver beside it where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import (
    AudioPacket,
    FrameRecord,
    StreamHeader,
    StreamReader,
    StreamWriter,
    control_steps,
)
from facecodec.bitstream.audio import AudioParameters
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.decode import open_output, render_items
from facecodec.decoding.notes import PROVENANCE, SYNTHETIC_COMMENT
from facecodec.decoding.rewrite import write_items
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop, resize
from facecodec.progress import Progress
from facecodec.types import Controls, Picture
from facecodec.version import __version__
from facecodec.video.reader import VideoReader

Item = FrameRecord | AudioPacket


@dataclass(frozen=True)
class Scene:
    """What a puppet shows and says: `who`, in frames on the clock of `stream`.

    items: frames with the puppet's controls, and the packets of `sound`. count: of the frames.
    """

    who: Avatar
    stream: StreamReader
    items: Iterator[Item]
    sound: AudioParameters | None
    count: int


def write_video(
    scene: Scene,
    output: str,
    size: int | None,
    place: Canvas,
    progress: Progress,
) -> int:
    """Render a puppet; return the number of its frames.

    size: a side of the face square in pixels. place: where the squares go.
    """
    with open_output(output, scene.stream, place, scene.sound, SYNTHETIC_COMMENT) as sink:
        items = scene.items
        if not sink.takes_audio:
            items = (item for item in items if isinstance(item, FrameRecord))

        def draw(controls: Controls, needed: int | None) -> Picture:
            """Draw the puppet, always as large as is asked for: its place may grow."""
            return scene.who.render(controls, size)

        return render_items(items, draw, place, sink, scene.count, progress)[0]


def write_stream(scene: Scene, output: str) -> int:
    """Write a puppet as a stream; return the number of its frames."""
    who = scene.who
    header = synthetic(scene.stream.header, who)

    def begin(writer: StreamWriter) -> None:
        who.write_to(writer)
        if scene.sound:
            writer.set_audio(scene.sound)

    return write_items(output, header, begin, scene.items)[0]


def synthetic(header: StreamHeader, who: Avatar) -> StreamHeader:
    """Return the header of a puppet that is timed as another stream: quantised, and marked."""
    header = replace(
        header,
        creator=f"facecodec {__version__}",
        metadata={PROVENANCE: SYNTHETIC_COMMENT},
    )
    if header.precision == "f32":
        steps = control_steps(who.rig.steps, header.quality)
        header = replace(header, precision="quantised", control_steps=steps)
    return header


class BesideDriver(Canvas):
    """Puts a picture to the left of each frame of a canvas, as high as that is."""

    def __init__(self, header: StreamHeader, inner: Canvas, beside: Iterator[Picture]) -> None:
        """`beside`: a square picture [S, S, 3] for each frame."""
        width, height = inner.size
        super().__init__(header, "face", None, height)
        self.size = (height + width, height)
        self._inner, self._beside = inner, beside
        self._left = np.zeros((height, height, 3), np.uint8)

    def __call__(self, face: Picture, frame: FrameRecord) -> Picture:
        """Return the output frame [H, W, 3] for a rendered square [S, S, 3]."""
        side = self.size[1]
        self._left = resize(next(self._beside, self._left), (side, side))
        return np.concatenate([self._left, self._inner(face, frame)], axis=1)


def driver_pictures(
    video: Path, stream: StreamReader, numbers: list[int], side: int
) -> Iterator[Picture]:
    """Yield the driver's squares [S, S, 3], cut out of its video, in the order of `numbers`.

    stream: made of that video. numbers: of its frames, which may repeat and begin again. A frame
    without a placement is black.
    """
    records = {record.index: record for record in stream.frames()}
    black = np.zeros((side, side, 3), np.uint8)
    base = stream.header.time_base
    start = records[0].pts * base
    at, left, source = -1, black, _pictures_from(video, start)
    for number in numbers:
        if number < at:
            source, at = _pictures_from(video, start), -1
        while at < number:
            at += 1
            picture = next(source, None)
            placement = records[at].placement
            left = black
            if picture is not None and placement is not None:
                left = crop(picture, Alignment.from_array(placement), side)
        yield left


def _pictures_from(video: Path, start: Fraction) -> Iterator[Picture]:
    """Yield the frames of a video from a time of its own clock on, in seconds."""
    with VideoReader(video) as reader:
        for frame in reader.frames(start - reader.begin):
            yield frame.image
