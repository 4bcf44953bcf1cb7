"""Puppet: one person's identity latent, another person's controls."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.avatar.render import Renderer
from facecodec.bitstream import (
    AudioPacket,
    FrameRecord,
    StreamReader,
    StreamWriter,
    control_steps,
)
from facecodec.clip.occlusion import with_occlusions
from facecodec.clip.scan import Span, scan
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.decode import (
    audio_track,
    load_identity_file,
    load_stream_models,
    open_stream,
    render_items,
)
from facecodec.encoding.encode import encode
from facecodec.encoding.person import find_person
from facecodec.encoding.presets import preset
from facecodec.errors import UsageError
from facecodec.generator.base import Generator
from facecodec.models import landmark_finder, load_likeness
from facecodec.progress import Progress, silent
from facecodec.puppetry.retarget import (
    Shown,
    at_rest,
    face_of,
    neutral_frame,
    pose_between,
    read_features,
    retargeted,
    shown_features,
    within_reach,
)
from facecodec.rig.rig import Rig
from facecodec.version import __version__
from facecodec.video.reader import VideoReader
from facecodec.video.writer import open_sink, refuse_output
from facecodec.weights.catalogue import DEFAULT_GENERATOR

SYNTHETIC = "synthetic: one person's face moved by another person's video"
SOURCE_FRAMES = 300  # of a source video are searched for the person


@dataclass(frozen=True)
class PuppetSummary:
    """What a puppet did: frames written, seconds in all, the driver's neutral frame.

    `retargeted`: the source's face was looked at; otherwise the driver's controls were copied.
    """

    frames: int
    seconds: float
    neutral_frame: int
    retargeted: bool


def puppet(
    source: str | Path,
    driver: str | Path,
    output: str | Path,
    *,
    absolute: bool = False,
    retarget: bool = True,
    model: str = DEFAULT_GENERATOR,
    rig: str | Path | None = None,
    preset_name: str = "medium",
    size: int | None = None,
    device: str = "auto",
    max_frames: int | None = None,
    audio: bool = True,
    force: bool = False,
    progress: Progress = silent,
) -> PuppetSummary:
    """Give the person in `source` the motion of `driver`.

    source: a picture, a video, a `.fci` or a `.fcv`. driver: a video or a `.fcv`. output: a video
    (anything `decode` writes) or a `.fcv`. Motion is taken relative to the driver's neutral frame
    unless `absolute`: then the head turns as far as the driver's.
    `retarget`: controls are found that make the source's face do what the driver's does, a few
    previews a frame; without it, and where no face can be read, the driver's controls are copied.
    The neutral frame is the one in which the face is most at rest, of copied controls the one
    nearest to controls 0.
    """
    output = str(output)
    to_stream = Path(output).suffix == ".fcv"
    if to_stream:
        refuse_overwrite(output, force, [source, driver])
    else:
        refuse_output(output, force, [source, driver])
    begin = time.perf_counter()
    with ExitStack() as stack:
        video = None if Path(driver).suffix == ".fcv" else Path(driver)
        if video:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facecodec-"))
            motion_file = Path(folder) / "driver.fcv"
            encode(
                driver, motion_file, model=model, rig=rig, preset_name=preset_name, device=device,
                max_frames=max_frames, audio=audio, precision="f32", progress=progress,
            )  # fmt: skip
            driver = motion_file
        stream = open_stream(driver)
        generator, the_rig = load_stream_models(stream, rig, device)
        who = load_person(Path(source), generator, the_rig, preset_name, progress)
        own = Shown(stream.identity(generator.w_mean.cpu().numpy()), stream.person_tuning())
        neutral, nearest = neutral_frame(stream)
        driven = np.stack([f.controls for f in islice(stream.frames(), max_frames)])
        controls = None
        if retarget:
            if video:
                done = _features_of(video, len(driven), progress)
            else:
                other = face_of(generator, the_rig, own)
                done = shown_features(other, driven, progress)
            resting = at_rest(driven, done)
            if resting is not None:
                face = face_of(generator, the_rig, who)
                controls = retargeted(face, the_rig, driven, done, resting, absolute, progress)
                neutral = neutral if controls is None else resting.frame
        followed = controls is not None
        if controls is None:
            shift = pose_between(generator, the_rig, who, own) if absolute else -nearest
            controls = within_reach(driven + shift)
        write = _write_stream if to_stream else _write_video
        frames = write(stream, generator, the_rig, who, controls, output, size, audio, progress)
    return PuppetSummary(frames, round(time.perf_counter() - begin, 3), neutral, followed)


def _features_of(video: Path, frames: int, progress: Progress) -> NDArray[np.float64]:
    """Return what the face in a video's first frames does, [T, 50]."""
    with VideoReader(video) as reader:
        return read_features(scan(reader, landmark_finder(), Span(max_frames=frames), progress))


def load_person(
    source: Path, generator: Generator, rig: Rig, preset_name: str, progress: Progress
) -> Shown:
    """Return whoever `source` shows: a picture, a video, a `.fcv` or a `.fci`."""
    mean = generator.w_mean.cpu().numpy()
    if source.suffix == ".fci":
        file = load_identity_file(source)
        if file.generator_sha256 != bytes.fromhex(generator.sha256):
            raise UsageError(f"{source}: made for generator {file.generator_name}")
        return Shown(file.w_plus(mean), file.tuning)
    if source.suffix == ".fcv":
        stream = open_stream(source)
        if stream.header.generator_sha256 != bytes.fromhex(generator.sha256):
            raise UsageError(f"{source}: made for generator {stream.header.generator_name}")
        return Shown(stream.identity(mean), stream.person_tuning())
    span = Span(max_frames=SOURCE_FRAMES)
    with VideoReader(source) as reader:
        found = scan(reader, landmark_finder(), span, progress)
        found = with_occlusions(reader, span, found, progress)
        plan = preset(preset_name)
        person = find_person(
            reader, span, found, generator, rig, plan, None, load_likeness(generator), progress
        )
    return Shown(person.w_plus.cpu().numpy(), person.tuning)


def _moved(
    stream: StreamReader, controls: NDArray[np.float32], audio: bool
) -> Iterator[FrameRecord | AudioPacket]:
    """Yield the driver's first frames with other controls [T, 35], and its audio."""
    frames = 0
    for item in stream.items(audio=audio):
        if isinstance(item, FrameRecord):
            if frames == len(controls):
                return
            yield replace(item, controls=controls[frames])
            frames += 1
        else:
            yield item


def _write_video(
    stream: StreamReader,
    generator: Generator,
    rig: Rig,
    who: Shown,
    controls: NDArray[np.float32],
    output: str,
    size: int | None,
    audio: bool,
    progress: Progress,
) -> int:
    header = stream.header
    renderer = Renderer(generator, rig, who.w_plus, size, who.tuning)
    place = Canvas(header, "face", None, renderer.size)
    track = audio_track(stream) if audio else None
    metadata = {"encoder": f"facecodec {__version__}", "comment": SYNTHETIC}
    with open_sink(
        output, place.size, header.time_base, header.frame_rate, track, metadata
    ) as sink:
        items = _moved(stream, controls, sink.takes_audio)
        frames, _ = render_items(items, renderer, place, sink, len(controls), progress)
    return frames


def _write_stream(
    stream: StreamReader,
    generator: Generator,
    rig: Rig,
    who: Shown,
    controls: NDArray[np.float32],
    output: str,
    size: int | None,
    audio: bool,
    progress: Progress,
) -> int:
    header = replace(
        stream.header, creator=f"facecodec {__version__}", metadata={"provenance": SYNTHETIC}
    )
    if header.precision == "f32":
        header = replace(
            header, precision="quantised", control_steps=control_steps(rig.steps, header.quality)
        )
    with (
        opened_whole(output) as file,
        StreamWriter(file, header) as writer,
    ):
        writer.write_identity(who.w_plus, generator.w_mean.cpu().numpy())
        if who.tuning:
            writer.write_tuning(who.tuning)
        if audio and stream.audio:
            writer.set_audio(stream.audio)
        for item in _moved(stream, controls, audio):
            if isinstance(item, AudioPacket):
                writer.write_audio(item)
            else:
                writer.write_frame(item.pts, item.controls, item.placement, item.flags)
    return writer.frames
