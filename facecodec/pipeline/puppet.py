"""Puppet: one person's identity latent, another person's controls."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.atomic import refuse_overwrite, written_whole
from facecodec.bitstream import (
    AudioPacket,
    FrameFlags,
    FrameRecord,
    StreamReader,
    StreamWriter,
    control_steps,
)
from facecodec.errors import NoFaceError, UsageError
from facecodec.face.landmarks import LandmarkFinder
from facecodec.face.signals import head_pose
from facecodec.generator.base import Generator
from facecodec.pipeline.canvas import Canvas
from facecodec.pipeline.decode import (
    audio_track,
    load_identity_file,
    load_stream_models,
    open_stream,
    prepare_output,
    render_items,
)
from facecodec.pipeline.encode import encode
from facecodec.pipeline.models import landmark_finder, load_likeness
from facecodec.pipeline.person import find_person
from facecodec.pipeline.presets import preset
from facecodec.pipeline.render import Renderer
from facecodec.pipeline.scan import Span, scan
from facecodec.progress import Progress, silent
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.version import __version__
from facecodec.video.reader import VideoReader
from facecodec.video.writer import open_sink
from facecodec.weights.catalogue import DEFAULT_GENERATOR

POSE_SIZE = 256  # pixels of the renders from which absolute pose is read
SYNTHETIC = "synthetic: one person's face moved by another person's video"
SOURCE_FRAMES = 300  # of a source video are searched for the person
# standard deviations that another person's control may go: yaw and pitch, roll, offsets
REACH = (4.0, 2.0, 5.0)


@dataclass(frozen=True)
class Shown:
    """Who is shown: the identity latent float32 [num_ws, 512] and the bytes of a tuning."""

    w_plus: NDArray[np.float32]
    tuning: bytes | None


@dataclass(frozen=True)
class PuppetSummary:
    """What a puppet did: frames written, seconds in all, the driver's neutral frame."""

    frames: int
    seconds: float
    neutral_frame: int


def puppet(
    source: str | Path,
    driver: str | Path,
    output: str | Path,
    *,
    absolute: bool = False,
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
    (the one nearest to controls 0) unless `absolute`: then the head turns as far as the driver's.
    """
    output = str(output)
    to_stream = Path(output).suffix == ".fcv"
    if to_stream:
        refuse_overwrite(Path(output), force)
    else:
        prepare_output(output, force)
    begin = time.perf_counter()
    with ExitStack() as stack:
        if Path(driver).suffix != ".fcv":
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
        neutral, controls = neutral_frame(stream)
        shift = -controls
        if absolute:
            own = Shown(stream.identity(generator.w_mean.cpu().numpy()), stream.person_tuning())
            shift = pose_between(generator, the_rig, who, own, landmark_finder())
        write = _write_stream if to_stream else _write_video
        frames = write(
            stream, generator, the_rig, who, shift, output, size, max_frames, audio, progress
        )
    return PuppetSummary(frames, round(time.perf_counter() - begin, 3), neutral)


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
        plan = preset(preset_name)
        person = find_person(
            reader, span, found, generator, rig, plan, None, load_likeness(generator), progress
        )
    return Shown(person.w_plus.cpu().numpy(), person.tuning)


def neutral_frame(stream: StreamReader) -> tuple[int, NDArray[np.float32]]:
    """Return the number and controls of the frame nearest to controls 0."""
    best: FrameRecord | None = None
    for frame in stream.frames():
        if frame.flags & FrameFlags.NO_FACE:
            continue
        if best is None or np.abs(frame.controls).sum() < np.abs(best.controls).sum():
            best = frame
    if best is None:
        raise NoFaceError(f"{stream.name}: no frame of the driver shows a face")
    return best.index, best.controls


def pose_between(
    generator: Generator,
    rig: Rig,
    source: Shown,
    driver: Shown,
    find: LandmarkFinder,
) -> NDArray[np.float32]:
    """Return controls [35] that turn the source's head as the driver's is at controls 0."""
    poses = []
    for who in (source, driver):
        find.reset()
        zero = np.zeros((1, len(rig.names)), np.float32)
        points = find(Renderer(generator, rig, who.w_plus, POSE_SIZE, who.tuning)(zero)[0])
        if points is None:
            raise NoFaceError(
                "no face in the picture of an identity latent; try without --absolute"
            )
        poses.append(head_pose(points))
    shift = np.zeros(len(rig.names), np.float32)
    shift[:NUM_POSE] = (poses[1] - poses[0]) / np.array([axis.std for axis in rig.pose])
    return shift


def within_reach(controls: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return controls [35] bent so that none goes farther than `REACH`; small ones stay.

    A tracker drives a control to ten standard deviations and more where that explains a pixel of
    its own clip. On another face the same number tears a mouth or doubles an eye.
    """
    turn, roll, offset = REACH
    reach = np.full(controls.shape, offset, np.float32)
    reach[:NUM_POSE] = turn, turn, roll
    return reach * np.tanh(controls / reach)


def _moved(
    stream: StreamReader, shift: NDArray[np.float32], max_frames: int | None, audio: bool
) -> Iterator[FrameRecord | AudioPacket]:
    """Yield the driver's frames with their controls shifted, and its audio."""
    frames = 0
    for item in stream.items(audio=audio):
        if isinstance(item, FrameRecord):
            if max_frames is not None and frames >= max_frames:
                return
            frames += 1
            yield replace(item, controls=within_reach(item.controls + shift))
        else:
            yield item


def _write_video(
    stream: StreamReader,
    generator: Generator,
    rig: Rig,
    who: Shown,
    shift: NDArray[np.float32],
    output: str,
    size: int | None,
    max_frames: int | None,
    audio: bool,
    progress: Progress,
) -> int:
    header = stream.header
    renderer = Renderer(generator, rig, who.w_plus, size, who.tuning)
    place = Canvas(header, "face", None, renderer.size)
    track = audio_track(stream) if audio else None
    metadata = {"encoder": f"facecodec {__version__}", "comment": SYNTHETIC}
    total = max_frames or stream.index().frames
    with open_sink(
        output, place.size, header.time_base, header.frame_rate, track, metadata
    ) as sink:
        items = _moved(stream, shift, max_frames, sink.takes_audio)
        frames, _ = render_items(items, renderer, place, sink, total, progress)
    return frames


def _write_stream(
    stream: StreamReader,
    generator: Generator,
    rig: Rig,
    who: Shown,
    shift: NDArray[np.float32],
    output: str,
    size: int | None,
    max_frames: int | None,
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
        written_whole(Path(output)) as temporary,
        temporary.open("wb") as file,
        StreamWriter(file, header) as writer,
    ):
        writer.write_identity(who.w_plus, generator.w_mean.cpu().numpy())
        if who.tuning:
            writer.write_tuning(who.tuning)
        if audio and stream.audio:
            writer.set_audio(stream.audio)
        for item in _moved(stream, shift, max_frames, audio):
            if isinstance(item, AudioPacket):
                writer.write_audio(item)
            else:
                writer.write_frame(item.pts, item.controls, item.placement, item.flags)
    return writer.frames
