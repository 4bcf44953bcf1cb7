"""Video out: which output a name stands for, and whether it can be written."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from facecodec.atomic import probe, refuse_inputs, refuse_overwrite
from facecodec.bitstream.audio import AudioParameters
from facecodec.errors import ExistsError, UsageError
from facecodec.video.camera_sink import CameraSink, is_video_device
from facecodec.video.coding import USUALLY, Writing, check_writing
from facecodec.video.container_sink import KINDS, ContainerSink
from facecodec.video.moving_picture_sink import ENDINGS, MovingPictureSink
from facecodec.video.plain_sinks import (
    NUMBERED,
    PictureSink,
    StillSink,
    Y4MSink,
    numbered,
    series_of,
)
from facecodec.video.sink import Sink
from facecodec.video.still import JPEG_ENDINGS, encode_png

__all__ = [
    "PictureSink",
    "Sink",
    "Y4MSink",
    "check_output",
    "encode_png",
    "open_sink",
    "refuse_output",
]

PICTURES = (".png", *JPEG_ENDINGS)
PIPE_FORMATS = ("y4m", "matroska")  # what pictures down a pipe can be
OUTPUTS = (
    "a video (.mp4, .mkv, .mov, .webm), .y4m, -, a moving picture (.gif, .webp), a picture (.png, "
    ".jpg) or pictures such as frames/%06d.png"
)


def open_sink(
    output: str,
    size: tuple[int, int],
    time_base: Fraction,
    rate: Fraction | None,
    audio: AudioParameters | None = None,
    metadata: dict[str, str] | None = None,
    how: Writing = USUALLY,
) -> Sink:
    """Open the sink that `output` names: a path, a device, a %d picture pattern, or "-" for y4m.

    size: width, height in pixels. time_base: seconds per unit of pts. rate: mean frame rate.
    how: whether times are kept, and with which codec a video is written.
    Raises UsageError for an ending that is not known, FacecodecError for what libav refuses.
    """
    check_output(output)
    check_writing(output, how)
    path = Path(output)
    if output == "-":
        return Y4MSink(path, size, rate)
    if is_video_device(path):
        return CameraSink(path, size, rate)
    if path.suffix.lower() in PICTURES:
        return (StillSink if is_still(output) else PictureSink)(path, metadata or {})
    if path.suffix.lower() in ENDINGS:
        return MovingPictureSink(path, time_base, rate, (metadata or {}).get("comment", ""))
    if path.suffix.lower() == ".y4m":
        return Y4MSink(path, size, rate)
    return ContainerSink(path, size, time_base, rate, audio, metadata or {}, how)


def check_pipe_format(output: str, form: str | None) -> None:
    """Raise UsageError for a format that there is not, and for one of what is no pipe."""
    if form is None:
        return
    if form not in PIPE_FORMATS:
        known = ", ".join(PIPE_FORMATS)
        raise UsageError(f"no format {form!r} for a pipe; there are: {known}", argument="format")
    if output != "-":
        raise UsageError(f"{output}: its name says its format already", argument="format")


def check_output(output: str) -> None:
    """Raise UsageError unless `output` names something that can be written."""
    path = Path(output)
    if output == "-" or path.suffix.lower() in (*KINDS, ".y4m", *ENDINGS) or is_video_device(path):
        return
    if path.suffix.lower() in PICTURES:
        if NUMBERED.fullmatch(path.name) or is_still(output):
            return
        raise UsageError(f"{output}: pictures are numbered by one field, such as frames/%06d.png")
    raise UsageError(f"{output}: not an output; write to {OUTPUTS}")


def is_still(output: str) -> bool:
    """Return whether an output is one picture, whose name has no field for a number."""
    path = Path(output)
    return path.suffix.lower() in PICTURES and "%" not in path.name and bool(path.stem)


def refuse_output(output: str, force: bool, inputs: Sequence[str | Path | None] = ()) -> None:
    """Raise UsageError unless `output` has a known ending and can be written, before any work.

    A series of pictures is in the way when a single picture of it is there. See
    `facecodec.atomic.refuse_overwrite` for the rest.
    """
    check_output(output)
    path = Path(output)
    if path.suffix.lower() not in PICTURES or is_still(output):
        refuse_overwrite(output, force, inputs)
        return
    if not path.parent.exists():  # it is made with the pictures
        probe(next(folder for folder in path.parents if folder.exists()), path)
        return
    probe(path.parent, path)
    refuse_overwrite(path.with_name(numbered(path.name, 1)), force, inputs)
    for _, picture in series_of(path):
        refuse_inputs(picture, inputs)
        if not force:
            raise ExistsError(f"{picture} exists already")
        if picture.is_symlink() or not picture.is_file():
            raise UsageError(f"{picture} is no file, and is not replaced; remove it first")
