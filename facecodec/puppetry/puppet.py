"""Puppet: one person's identity latent, another person's controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facecodec.arguments import whole_or_none
from facecodec.atomic import refuse_overwrite
from facecodec.avatar.avatar import Avatar, load_avatar
from facecodec.bitstream import open_stream
from facecodec.clip.clip import Clip
from facecodec.context.av1 import is_shown
from facecodec.decoding.canvas import CANVASES, Canvas
from facecodec.encoding.encode import encode
from facecodec.encoding.person import Enrolment, find_person
from facecodec.encoding.presets import Preset, preset_of
from facecodec.encoding.tuning import settled_tune, tune_person
from facecodec.errors import UsageError
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
from facecodec.puppetry.driver import opened
from facecodec.puppetry.in_place import InMotion, InPlace, Setting
from facecodec.puppetry.neutral import SOURCE_RESTS
from facecodec.puppetry.output import BesideDriver, write_stream, write_video
from facecodec.puppetry.retarget import How
from facecodec.puppetry.stage import Stage, directed
from facecodec.puppetry.strength import Strengths
from facecodec.puppetry.timeline import check_beyond
from facecodec.rig.regions import Region
from facecodec.seconds import Time, between
from facecodec.video.writer import refuse_output
from facecodec.weights.catalogue import DEFAULT_GENERATOR

PERSON_FILE_SUFFIXES = (".fci", ".fcv")  # sources that hold a person; all others show one
MAX_SOURCE_FRAMES = 300  # of a source video are searched for the person
SOUNDS = ("driver", "source", "none")


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


def puppet(
    source: str | Path,
    driver: str | Path,
    output: str | Path,
    *,
    regions: Sequence[str] | None = None,
    strength: float | Mapping[str, float] = 1.0,
    absolute: bool = False,
    rest: int | None = None,
    source_rest: str = "keep",
    retarget: bool = True,
    keep_motion: bool = False,
    beyond: str = "hold",
    driver_video: str | Path | None = None,
    identity: str | Path | None = None,
    model: str = DEFAULT_GENERATOR,
    rig: str | Path | None = None,
    preset: str | Preset = "medium",
    tune: str | None = None,
    size: int | None = None,
    side_by_side: bool = False,
    canvas: str | None = None,
    device: Device = "auto",
    start: Time | None = None,
    end: Time | None = None,
    max_frames: int | None = None,
    audio: bool | str = True,
    force: bool = False,
    progress: Progress = silent,
) -> PuppetSummary:
    """Give the person in `source` the motion of `driver`.

    source: who: a picture, a video, a `.fci` or a `.fcv` file. driver: the motion: a video or a
    `.fcv`. output: anything `facecodec.decode` writes, or a `.fcv`.
    regions: what the driver moves: "pose", "gaze", "eyes", "brows", "mouth", "jaw",
    "expression"; all when None. The rest of the face stays still. strength: how strongly, 1 as the
    driver does; a number, or one for each region.
    absolute: the head turns as far as the driver's does; otherwise motion is taken relative to the
    driver's rest, the frame in which the face is most at rest (of copied controls, the one
    nearest to controls 0), or frame number `rest`. source_rest: the source's face at rest: "keep"
    it as it is shown, or make it "neutral", for a picture with a grin or a wink. retarget: controls
    are sought that make the source's face do what the driver's does, a few previews a frame;
    without it, and where no face can be read, the driver's controls are copied.
    keep_motion: a source that is a `.fcv` or a video, which is then encoded, goes on moving where
    the driver moves nothing, on its own clock and in its own place. beyond: what there is then
    beyond the end of the shorter of the two: "hold" its last frame, "loop" it, or "stop".
    driver_video: the video that a driving `.fcv` was made of, in which its
    face is read better than in pictures of the stream. identity: the `.fci` file that a driving
    `.fcv` may refer to; without it, the right one is looked for beside the stream.
    model, rig, preset, device, force, progress: see `facecodec.encode`; the generator is
    that of a driving `.fcv`. tune: of a source that is a picture or a video, as there; small when
    None. size: a side of the face square in pixels, see `facecodec.decode`.
    side_by_side: a video shows the driver to the left of the puppet. canvas: "source" lays the head
    into the frame of a source that is a picture, a video or a stream with a context, where its room
    and shoulders stay; "face" shows the square alone. The former when None, wherever a source has
    a frame.
    start, end, max_frames: the part of the driver, as in `facecodec.encode`. audio: True or
    "driver" for the driver's, "source" for that of a source that keeps its motion, False or
    "none".
    Raises NoFaceError when the driver or the source shows no face; UsageError for an output that
    is in the way, a source made for another generator, or arguments that do not fit; else what
    `encode` and `decode` raise.
    """
    whole_or_none(max_frames, "max_frames", 1)
    whole_or_none(rest, "rest", 0)
    strengths, span, sound = Strengths.of(regions, strength), between(start, end), _sound(audio)
    output = str(output)
    to_stream = Path(output).suffix.lower() == ".fcv"
    _refuse_misfits(Path(source), keep_motion, beyond, sound)
    _check_source_rest(source_rest, keep_motion)
    if side_by_side and to_stream:
        raise UsageError(f"{output}: a stream has no room for the driver; name a video")
    in_place = _in_place(canvas, Path(source), output, keep_motion)
    (refuse_overwrite if to_stream else refuse_output)(
        output, force, [source, driver, driver_video, identity, rig]
    )
    pictured = Path(source).suffix.lower() not in PERSON_FILE_SUFFIXES
    tune = settled_tune(tune, known=not pictured, live=False)
    if pictured or retarget:
        require_models(person=pictured or driver_video is not None)
    begin, plan = time.perf_counter(), preset_of(preset)
    how = How(absolute, retarget, rest, source_rest)
    if size is not None and Path(driver).suffix.lower() != ".fcv":
        side_of(load_generator_on(model, device), size)  # known before the driver is encoded
    encoded = partial(
        encode, model=model, rig=rig, preset=plan, device=device, keep_person=False,
        precision="f32", progress=progress,
    )  # fmt: skip
    # a driver that is a video is shown as it is, where it is shown at all
    part = partial(encoded, start=start, end=end, max_frames=max_frames, audio=sound == "driver",
                   tune="none")  # fmt: skip
    whole = partial(encoded, tune=tune)
    moving_source = opened(Path(source), None, whole) if keep_motion else nullcontext()
    with opened(Path(driver), driver_video, part, span) as moving, moving_source as kept:
        models = load_stream_models(moving.stream.header, moving.stream.name, rig, device)
        side_of(models.generator, size)
        if kept:
            who, setting = Avatar.from_stream(kept.stream, model=models), None
        else:
            fit = partial(_fitted, model=models, plan=plan, tune=tune, progress=progress)
            who, setting = _person(Path(source), models, fit, in_place, size, progress)
        own = Avatar.from_stream(moving.stream, identity or moving.person, model=models)
        stage = Stage.of(moving, max_frames, kept.stream if kept else None, beyond)
        moved = directed(who, own, stage, strengths, how, progress)
        scene = stage.scene(who, moved.controls, sound)
        if to_stream:
            frames = write_stream(scene, output)
        else:
            header, side = scene.stream.header, who.side(size)
            place = Canvas(header, "face", None, side)
            if in_place:
                moves = stage.head_moves(moved.rest_frame, strengths.factors[Region.POSE])
                if setting is not None:
                    place = InPlace(header, setting, moves, side)
                elif kept is not None and kept.video is not None:
                    place = InMotion(header, (kept.video, stage.source_frames), moves, side)
            if side_by_side:
                left = moving.pictures(own, stage.driver_frames, place.size[1])
                place = BesideDriver(header, place, left)
            frames = write_video(scene, output, size, place, progress)
    seconds = round(time.perf_counter() - begin, 3)
    return PuppetSummary(frames, seconds, moved.rest_frame, moved.followed)


def _sound(audio: bool | str) -> str:
    """Return whose sound a puppet has, one of `SOUNDS`."""
    if isinstance(audio, bool):
        return "driver" if audio else "none"
    if audio not in SOUNDS:
        raise UsageError(f"no audio {audio!r}; there are: {', '.join(SOUNDS)}", argument="audio")
    return audio


def _refuse_misfits(source: Path, keep_motion: bool, beyond: str, sound: str) -> None:
    """Raise UsageError, before any work, for arguments that do not fit together."""
    check_beyond(beyond)
    if keep_motion and source.suffix.lower() == ".fci":
        raise UsageError(f"{source}: has no motion to keep; a video or a .fcv has")
    if sound == "source" and not keep_motion:
        raise UsageError("a source that stands still has no audio; keep its motion")


def _check_source_rest(source_rest: str, keep_motion: bool) -> None:
    """Raise UsageError for a rest that there is not, or beside a source that keeps its motion."""
    if source_rest not in SOURCE_RESTS:
        raise UsageError(
            f"no rest {source_rest!r} of a source; there are: {', '.join(SOURCE_RESTS)}",
            argument="source_rest",
        )
    if keep_motion and source_rest != "keep":
        raise UsageError(
            "a source that keeps its motion keeps its rest too", argument="source_rest"
        )


def _in_place(canvas: str | None, source: Path, output: str, keep_motion: bool) -> bool:
    """Return whether a puppet is laid into its source's frame."""
    if canvas not in (None, *CANVASES):
        raise UsageError(f"no canvas {canvas!r}; there are: {', '.join(CANVASES)}")
    framed = source.suffix.lower() not in PERSON_FILE_SUFFIXES
    framed = framed or (not keep_motion and _has_context(source))
    streamed = Path(output).suffix.lower() == ".fcv"
    if canvas == "source" and not framed:
        raise UsageError(f"{source}: has no frame to lay a puppet into; a picture or a video has")
    if canvas == "source" and streamed:
        raise UsageError(f"{output}: a stream has no frame to lay a puppet into; name a video")
    return framed and not streamed and canvas != "face"


def _has_context(source: Path) -> bool:
    """Return whether a file is a stream with a context that can be shown here."""
    if source.suffix.lower() != ".fcv" or not source.is_file():
        return False
    with open_stream(source) as stream:
        return is_shown(stream.context_plate)


def _person(
    source: Path,
    model: FaceModel,
    fit: Callable[[Clip], tuple[Avatar, Enrolment]],
    in_place: bool,
    size: int | None,
    progress: Progress,
) -> tuple[Avatar, Setting | None]:
    """Return whoever `source` shows, a picture, a video, a `.fcv` or a `.fci`, and their setting.

    fit: how a person is found in a clip. in_place: whether the puppet, drawn at `size`, is laid
    into the frame that shows them best.
    """
    if source.suffix.lower() in PERSON_FILE_SUFFIXES:
        who = load_avatar(source, model)
        if not in_place:
            return who, None
        with open_stream(source) as stream:
            return who, Setting.of_stream(stream, who, who.side(size))
    with Clip.open(source, max_frames=MAX_SOURCE_FRAMES, progress=progress) as clip:
        who, enrolment = fit(clip)
        if not in_place:
            return who, None
        return who, Setting.of(clip, enrolment.frame, who.side(size))


def _fitted(
    clip: Clip, *, model: FaceModel, plan: Preset, tune: str, progress: Progress
) -> tuple[Avatar, Enrolment]:
    """Return the person of a clip, tuned."""
    likeness = load_likeness(model.generator)
    who = find_person(clip, model, plan, None, likeness, progress)
    if tune == "none":
        return who
    return tune_person(clip, *who, plan, tune, likeness, progress)
