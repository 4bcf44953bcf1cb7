"""Video out: which output a name stands for, and whether it can be written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from facecodec.atomic import probe, refuse_inputs, refuse_overwrite
from facecodec.bitstream.audio import AudioParameters
from facecodec.errors import ExistsError, UsageError
from facecodec.video.camera_sink import CameraSink, is_video_device
from facecodec.video.container_sink import KINDS, ContainerSink
from facecodec.video.plain_sinks import PictureSink, Y4MSink, numbered
from facecodec.video.sink import Sink
from facecodec.video.still import encode_png

__all__ = [
    "PictureSink",
    "Sink",
    "Y4MSink",
    "check_output",
    "encode_png",
    "open_sink",
    "refuse_output",
]

PICTURES = ".png"
_NUMBERED = re.compile(r"((?:[^%]|%%)*)(%(?:0\d)?d)((?:[^%]|%%)*)")
PIPE_FORMATS = ("y4m", "matroska")  # what pictures down a pipe can be
OUTPUTS = "a video (.mp4, .mkv, .mov, .webm), .y4m, - or pictures such as frames/%06d.png"


def open_sink(
    output: str,
    size: tuple[int, int],
    time_base: Fraction,
    rate: Fraction | None,
    audio: AudioParameters | None = None,
    metadata: dict[str, str] | None = None,
    keep_times: bool = False,
) -> Sink:
    """Open the sink that `output` names: a path, a device, a %d picture pattern, or "-" for y4m.

    size: width, height in pixels. time_base: seconds per unit of pts. rate: mean frame rate.
    keep_times: the first frame keeps its time; otherwise it is at 0, and sound moves along.
    Raises UsageError for an ending that is not known, FacecodecError for what libav refuses.
    """
    check_output(output)
    path = Path(output)
    if output == "-":
        return Y4MSink(path, size, rate)
    if is_video_device(path):
        return CameraSink(path, size, rate)
    if path.suffix.lower() == PICTURES:
        return PictureSink(path, metadata or {})
    if path.suffix.lower() == ".y4m":
        return Y4MSink(path, size, rate)
    return ContainerSink(path, size, time_base, rate, audio, metadata or {}, keep_times)


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
    if output == "-" or path.suffix.lower() in (*KINDS, ".y4m") or is_video_device(path):
        return
    if path.suffix.lower() == PICTURES:
        if _NUMBERED.fullmatch(path.name):
            return
        raise UsageError(f"{output}: pictures are numbered; name them like {path.stem}-%06d.png")
    raise UsageError(f"{output}: not an output; write to {OUTPUTS}")


def refuse_output(output: str, force: bool, inputs: Sequence[str | Path | None] = ()) -> None:
    """Raise UsageError unless `output` has a known ending and can be written, before any work.

    A series of pictures is in the way when a single picture of it is there. See
    `facecodec.atomic.refuse_overwrite` for the rest.
    """
    check_output(output)
    path = Path(output)
    if path.suffix.lower() != PICTURES:
        refuse_overwrite(output, force, inputs)
        return
    probe(path.parent, path)
    refuse_overwrite(path.with_name(numbered(path.name, 1)), force, inputs)
    with os.scandir(path.parent) as entries:
        series = [path.parent / entry.name for entry in entries if _is_of(path.name, entry.name)]
    for picture in series:
        refuse_inputs(picture, inputs)
        if not force:
            raise ExistsError(f"{picture} exists already")
        if picture.is_symlink() or not picture.is_file():
            raise UsageError(f"{picture} is no file, and is not replaced; remove it first")


def _is_of(pattern: str, name: str) -> bool:
    """Return whether a file's name is one of those that a pattern gives."""
    match = _NUMBERED.fullmatch(pattern)
    assert match is not None  # check_output has seen it
    before, after = (re.escape(part.replace("%%", "%")) for part in (match[1], match[3]))
    number = re.fullmatch(rf"{before}(\d+){after}", name)
    return number is not None and numbered(pattern, int(number[1])) == name
