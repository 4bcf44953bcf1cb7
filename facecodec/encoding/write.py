"""Write a tracked clip as a stream, and keep its person until the stream is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facecodec.arguments import whole
from facecodec.atomic import STANDARD_OUTPUT, opened_whole, refuse_overwrite
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import (
    DEFAULT_QUALITY,
    StreamHeader,
    StreamWriter,
    control_steps,
)
from facecodec.bitstream.coding.header import PRECISIONS
from facecodec.clip.clip import Clip
from facecodec.context.make import MadeContext
from facecodec.encoding.motion import Motion
from facecodec.errors import FacecodecError, UsageError
from facecodec.models import FaceModel
from facecodec.seconds import Time, seconds
from facecodec.types import Controls
from facecodec.version import __version__
from facecodec.video.opus import Sound

KEPT_PERSON_SUFFIX = ".person.fci"  # after a stream's name: the person, until the stream is whole
MAX_KEPT_PERSONS = 99  # persons of encodes that died beside one output, before no more are kept
MAX_NAME_BYTES = 255  # of a file's name, on usual file systems


# Endings of what other commands write: a stream under such a name is a mistake.
FOREIGN_SUFFIXES = (".fci", ".mp4", ".mkv", ".mov", ".webm", ".y4m", ".png")


def check_stream_options(output: Path, quality: int, precision: str) -> None:
    """Refuse, before any work, what a stream cannot be called or cannot say.

    quality: 0 to 100. Raises UsageError.
    """
    if output.suffix.lower() in FOREIGN_SUFFIXES:
        raise UsageError(f"{output}: a stream is no {output.suffix} file; call it .fcv")
    whole(quality, "quality", 0, 100)
    if precision not in PRECISIONS:
        raise UsageError(
            f"no precision {precision!r}; there are: {', '.join(PRECISIONS)}", argument="precision"
        )


def new_header(
    model: FaceModel,
    size: tuple[int, int],
    time_base: Fraction,
    frame_rate: Fraction | None,
    precision: str = "quantised",
    quality: int = DEFAULT_QUALITY,
    metadata: dict[str, str] | None = None,
) -> StreamHeader:
    """Return the header of a stream of a generator and its rig.

    size: width and height of the source in pixels. time_base: seconds of one unit of pts. The
    others as in `facecodec.encode`. Raises UsageError for what the format cannot say.
    """
    generator, rig = model
    return StreamHeader(
        generator_name=generator.name,
        generator_sha256=bytes.fromhex(generator.sha256),
        rig_sha256=bytes.fromhex(rig.sha256),
        num_ws=generator.num_ws,
        w_dim=generator.w_dim,
        control_steps=control_steps(rig.steps, quality),
        width=size[0],
        height=size[1],
        time_base=time_base,
        frame_rate=frame_rate,
        resolution=generator.resolution,
        precision=precision,
        quality=quality,
        creator=f"facecodec {__version__}",
        metadata=metadata or {},
    )


def write_clip(
    file: BinaryIO,
    header: StreamHeader,
    clip: Clip,
    person: Avatar | bytes,
    motion: Motion,
    sound: Sound,
    context: MadeContext | None = None,
) -> StreamWriter:
    """Write the stream: the person, then frames with their audio. Returns the closed writer.

    context: what is behind the face; its parts are those of segments of the usual length.
    person: the avatar, or the SHA-256 of the `.fci` file that holds it.
    """
    track, packets = sound
    with StreamWriter(file, header) as writer:
        if isinstance(person, bytes):
            writer.write_identity_reference(person)
        else:
            person.write_to(writer)
        if track:
            writer.set_audio(track)
        if context:
            writer.write_context_plate(context.plate)
        parts = context.parts if context else iter(())
        packet = next(packets, None)
        for i, pts in enumerate(clip.pts.tolist()):
            while packet and track and packet.pts * track.time_base <= pts * clip.time_base:
                writer.write_audio(packet)
                packet = next(packets, None)
            if i % writer.segment_frames == 0 and (part := next(parts, None)):
                writer.write_context(part)
            placement = clip.alignments[i].as_array()
            writer.write_frame(pts, motion.controls[i], placement, int(motion.flags[i]))
        while packet:
            writer.write_audio(packet)
            packet = next(packets, None)
    return writer


def write_stream(
    path: str | Path,
    avatar: Avatar,
    controls: Controls,
    *,
    fps: Time = 25,
    precision: str = "quantised",
    quality: int = DEFAULT_QUALITY,
    force: bool = False,
) -> int:
    """Write a person moved by any controls to a new `.fcv` stream. Returns its bytes.

    avatar: the person. controls: [T, K], finite, in standard deviations over the generator's
    faces. fps: frames a second. precision, quality: see `facecodec.encode`. force: overwrite
    `path`. The stream has no placement and no audio.
    Raises UsageError for controls of another shape, or when `path` exists and `force` is not set.
    """
    rate = seconds(fps)
    rows = np.asarray(controls, np.float32)
    if not rate or rows.ndim != 2 or rows.shape[1] != avatar.num_controls:
        raise UsageError(
            f"controls are [T, {avatar.num_controls}] at some frames a second, "
            f"not {list(rows.shape)} at {fps!r}"
        )
    refuse_overwrite(path, force)
    size = avatar.resolution, avatar.resolution
    header = new_header(avatar.model, size, 1 / rate, rate, precision, quality)
    with opened_whole(path) as file, StreamWriter(file, header) as writer:
        avatar.write_to(writer)
        for pts, row in enumerate(rows):
            writer.write_frame(pts, row)
    return writer.bytes_written


class KeptPerson:
    """Keeps the person of a long encode in a `.fci` file beside its output until that is whole.

    An encode that dies leaves the file, and what it raises says so. A file that is there already
    is somebody's, and stays: another name is taken. Where no file can be written nothing is kept,
    and the encode goes on.
    """

    def __init__(self, output: Path) -> None:
        """`output` is the stream to come; beside standard output or a device nothing is kept."""
        usual = str(output) != STANDARD_OUTPUT and (not output.exists() or output.is_file())
        self._output = output if usual else None
        self.path: Path | None = None

    def keep(self, avatar: Avatar) -> None:
        """Write the file."""
        for path in self._names():
            if os.path.lexists(path):
                continue
            try:
                avatar.save(path)
            except (FacecodecError, OSError):
                if os.path.lexists(path):
                    continue  # another encode was faster
                return
            self.path = path
            return

    def _names(self) -> Iterator[Path]:
        """Yield the names that the file may have, the usual one first."""
        if self._output is None:
            return
        added = len(f".{MAX_KEPT_PERSONS}{KEPT_PERSON_SUFFIX}")
        stem = os.fsdecode(os.fsencode(self._output.name)[: MAX_NAME_BYTES - added])
        yield self._output.with_name(stem + KEPT_PERSON_SUFFIX)
        for number in range(2, MAX_KEPT_PERSONS + 1):
            yield self._output.with_name(f"{stem}.{number}{KEPT_PERSON_SUFFIX}")

    def __enter__(self) -> KeptPerson:
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        if self.path is None:
            return
        if error is None:
            self.path.unlink(missing_ok=True)
        else:
            error.add_note(
                f"the person is kept in {self.path}: given as the identity, it spares the "
                "next encode the inversion"
            )
