"""Puppet: one person's identity latent, another person's controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from facecodec.arguments import whole_or_none
from facecodec.atomic import refuse_overwrite, scratch_folder
from facecodec.avatar.avatar import Avatar, load_avatar
from facecodec.bitstream import StreamReader, StreamWriter, control_steps, open_stream
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.decode import open_output, render_items
from facecodec.decoding.rewrite import with_controls, write_items
from facecodec.encoding.encode import encode
from facecodec.encoding.person import find_person
from facecodec.encoding.presets import Preset, preset_of
from facecodec.face.expression import features
from facecodec.models import (
    Device,
    FaceModel,
    load_generator_on,
    load_likeness,
    load_stream_models,
    require_models,
    side_of,
)
from facecodec.progress import Progress, silent
from facecodec.puppetry.retarget import (
    at_rest,
    limited,
    nearest_to_zero,
    pose_between,
    retargeted,
)
from facecodec.types import Controls, Floats
from facecodec.version import __version__
from facecodec.video.reader import VideoReader
from facecodec.video.writer import refuse_output
from facecodec.weights.catalogue import DEFAULT_GENERATOR

SYNTHETIC_COMMENT = "synthetic: one person's face moved by another person's video"
PERSON_FILE_SUFFIXES = (".fci", ".fcv")  # sources that hold a person; all others show one
MAX_SOURCE_FRAMES = 300  # of a source video are searched for the person


@dataclass(frozen=True)
class PuppetSummary:
    """What a puppet did: frames written, seconds in all, the driver's frame at rest.

    `retargeted`: the source's face was made to do what the driver's does; otherwise the driver's
    controls were copied.
    """

    frames: int
    seconds: float
    rest_frame: int
    retargeted: bool


@dataclass(frozen=True)
class Driver:
    """The one who moves: a stream, and the video it was made of where that is at hand."""

    stream: StreamReader
    video: Path | None

    def controls(self, max_frames: int | None) -> Controls:
        """Return the controls [T, K] of the first frames."""
        return np.stack([f.controls for f in islice(self.stream.frames(), max_frames)])

    def features(self, person: Avatar, controls: Controls, progress: Progress) -> Floats:
        """Return what the face does in the frames of `controls`, [T, 50], NaN where none is seen.

        Read from the video where there is one, else from pictures of `person`, the driver's own.
        """
        if self.video is None:
            rows = controls.astype(np.float64)
            face = person.face_reader()
            return features(face.landmarks(rows, "reading the driver", progress))
        span, reader = Span(max_frames=len(controls)), VideoReader(self.video)
        with Clip(reader, span, occlusions=False, progress=progress) as clip:
            return clip.features


def puppet(
    source: str | Path,
    driver: str | Path,
    output: str | Path,
    *,
    absolute: bool = False,
    retarget: bool = True,
    driver_video: str | Path | None = None,
    identity: str | Path | None = None,
    model: str = DEFAULT_GENERATOR,
    rig: str | Path | None = None,
    preset: str | Preset = "medium",
    size: int | None = None,
    device: Device = "auto",
    max_frames: int | None = None,
    audio: bool = True,
    force: bool = False,
    progress: Progress = silent,
) -> PuppetSummary:
    """Give the person in `source` the motion of `driver`.

    source: who: a picture, a video, a `.fci` or a `.fcv` file. driver: the motion: a video or a
    `.fcv`. output: anything `facecodec.decode` writes, or a `.fcv`.
    absolute: the head turns as far as the driver's does; otherwise motion is taken relative to the
    driver's rest, the frame in which the face is most at rest (of copied controls, the one
    nearest to controls 0). retarget: controls are sought that make the source's face do what the
    driver's does, a few previews a frame; without it, and where no face can be read, the driver's
    controls are copied. driver_video: the video that a driving `.fcv` was made of, in which its
    face is read better than in pictures of the stream. identity: the `.fci` file that a driving
    `.fcv` may refer to; without it, the right one is looked for beside the stream.
    model, rig, preset, device, audio, force, progress: see `facecodec.encode`; the generator is
    that of a driving `.fcv`. size: a side of the face square in pixels, see `facecodec.decode`.
    max_frames: at most this many frames of the driver.
    Raises NoFaceError when the driver or the source shows no face; UsageError for an output that
    is in the way, or a source made for another generator; else what `encode` and `decode` raise.
    """
    whole_or_none(max_frames, "max_frames", 1)
    output = str(output)
    to_stream = Path(output).suffix.lower() == ".fcv"
    (refuse_overwrite if to_stream else refuse_output)(
        output, force, [source, driver, driver_video, identity, rig]
    )
    pictured = Path(source).suffix.lower() not in PERSON_FILE_SUFFIXES
    if pictured or retarget:
        require_models(person=pictured or driver_video is not None)
    begin, plan = time.perf_counter(), preset_of(preset)
    if size is not None and Path(driver).suffix.lower() != ".fcv":
        side_of(load_generator_on(model, device), size)  # known before the driver is encoded
    encoded = partial(
        encode, model=model, rig=rig, preset=plan, device=device, max_frames=max_frames,
        audio=audio, precision="f32", keep_person=False, progress=progress,
    )  # fmt: skip
    with _opened(Path(driver), driver_video, encoded) as moving:
        models = load_stream_models(moving.stream.header, moving.stream.name, rig, device)
        side_of(models.generator, size)
        who = _person(Path(source), models, plan, progress)
        own = Avatar.from_stream(moving.stream, identity, model=models)
        rest, nearest = nearest_to_zero(moving.stream)
        driven = moving.controls(max_frames)
        controls = None
        if retarget:
            done = moving.features(own, driven, progress)
            resting = at_rest(driven, done)
            if resting is not None:
                controls = retargeted(who, driven, done, resting, absolute, progress)
                rest = rest if controls is None else resting.frame
        followed = controls is not None
        if controls is None:
            shift = pose_between(who, own) if absolute else -nearest
            controls = limited(driven + shift)
        if to_stream:
            frames = _write_stream(moving.stream, who, controls, output, audio)
        else:
            frames = _write_video(moving.stream, who, controls, output, size, audio, progress)
    return PuppetSummary(frames, round(time.perf_counter() - begin, 3), rest, followed)


@contextmanager
def _opened(
    driver: Path, video: str | Path | None, encoded: Callable[[Path, Path], object]
) -> Iterator[Driver]:
    """Open a driver; a video is encoded into a stream that lasts as long as it is open."""
    if driver.suffix.lower() == ".fcv":
        yield Driver(open_stream(driver), Path(video) if video else None)
        return
    with scratch_folder() as folder:
        stream = folder / "driver.fcv"
        encoded(driver, stream)
        yield Driver(open_stream(stream), driver)


def _person(source: Path, model: FaceModel, plan: Preset, progress: Progress) -> Avatar:
    """Return whoever `source` shows: a picture, a video, a `.fcv` or a `.fci`."""
    if source.suffix.lower() in PERSON_FILE_SUFFIXES:
        return load_avatar(source, model)
    likeness = load_likeness(model.generator)
    with Clip.open(source, max_frames=MAX_SOURCE_FRAMES, progress=progress) as clip:
        return find_person(clip, model, plan, None, likeness, progress)[0]


def _write_video(
    stream: StreamReader,
    who: Avatar,
    controls: Controls,
    output: str,
    size: int | None,
    audio: bool,
    progress: Progress,
) -> int:
    """Render the driver's first frames with other controls [T, K] of another person."""
    place = Canvas(stream.header, "face", None, who.side(size))
    track = stream.audio if audio else None
    with open_output(output, stream, place, track, SYNTHETIC_COMMENT) as sink:
        items = with_controls(stream.items(audio=sink.takes_audio), controls)
        draw = partial(who.render, size=size)
        frames, _ = render_items(items, draw, place, sink, len(controls), progress)
    return frames


def _write_stream(
    stream: StreamReader, who: Avatar, controls: Controls, output: str, audio: bool
) -> int:
    """Write the driver's first frames with other controls [T, K] of another person."""
    header = replace(
        stream.header,
        creator=f"facecodec {__version__}",
        metadata={"provenance": SYNTHETIC_COMMENT},
    )
    if header.precision == "f32":
        steps = control_steps(who.rig.steps, header.quality)
        header = replace(header, precision="quantised", control_steps=steps)

    def begin(writer: StreamWriter) -> None:
        who.write_to(writer)
        if audio and stream.audio:
            writer.set_audio(stream.audio)

    items = with_controls(stream.items(audio=audio), controls)
    return write_items(output, header, begin, items)[0]
