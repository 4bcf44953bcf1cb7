"""Encode: a video of one person to a stream of one identity latent and a few controls a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from facecodec.arguments import whole_or_none
from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import DEFAULT_QUALITY, StreamHeader, load_identity_file
from facecodec.bitstream.coding.timing import usual_frames
from facecodec.clip.choice import FaceChoice
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.clip.source import FramesInMemory
from facecodec.context.av1 import check_encoder
from facecodec.context.make import MadeContext
from facecodec.context.plan import check_context, plan_context
from facecodec.context.worth import Drawn, best_context
from facecodec.encoding.checkpoint import resumable
from facecodec.encoding.estimate import estimated_seconds
from facecodec.encoding.fitted import Fit, nobody_told
from facecodec.encoding.motion import Motion
from facecodec.encoding.parts import WHOLE, Parts
from facecodec.encoding.presets import Preset, preset_name, preset_of
from facecodec.encoding.rate import check_target, quality_for
from facecodec.encoding.stored import stored
from facecodec.encoding.summary import EncodeSummary, Stages, summarise
from facecodec.encoding.tuning import settled_tune
from facecodec.encoding.write import KeptPerson, check_stream_options, new_header, write_clip
from facecodec.errors import UsageError
from facecodec.models import Device, load_models, require_models
from facecodec.progress import Progress, silent
from facecodec.seconds import Time, between, seconds
from facecodec.types import Picture
from facecodec.video.opus import check_audio, chosen_audio, settled
from facecodec.video.raw import RawPictures
from facecodec.video.reader import VideoReader
from facecodec.video.series import SeriesReader, is_series
from facecodec.weights.catalogue import DEFAULT_GENERATOR

Source = str | Path | Iterable[Picture] | Clip


def encode(
    source: Source,
    output: str | Path,
    *,
    model: str = DEFAULT_GENERATOR,
    rig: str | Path | None = None,
    preset: str | Preset = "medium",
    device: Device = "auto",
    start: Time | None = None,
    end: Time | None = None,
    max_frames: int | None = None,
    fps: Time = 25,
    raw: str | None = None,
    audio: str | bool = "auto",
    audio_bitrate: int | None = None,
    video_track: int | None = None,
    audio_track: int | None = None,
    quality: int = DEFAULT_QUALITY,
    bitrate: int | None = None,
    precision: str = "quantised",
    id_frame: int | None = None,
    tune: str | None = None,
    identity: str | Path | None = None,
    live: bool = False,
    context: str | int = "off",
    keep_person: bool = True,
    checkpoint: bool = False,
    parts: Parts = WHOLE,
    any_face: bool = False,
    face: str | None = None,
    force: bool = False,
    progress: Progress = silent,
    foretell: Callable[[float], None] | None = None,
) -> EncodeSummary:
    """Encode a video of one person into a `.fcv` stream.

    source: a video file; '-' for one that comes from standard input; numbered pictures
    (`frames/%06d.png`), or pictures in memory, uint8 RGB [T, H, W, 3] or an iterable of
    [H, W, 3], which are `fps` frames a second; or an open `Clip`, taken as it is. raw: the size and
    the pixels of a file or pipe of pictures without a container, `640x480:yuv420p`.
    output: the stream; '-' is standard output.
    model: the name of an installed generator. rig: a rig file, for a generator without its own.
    preset: 'live', 'fast', 'medium' or 'slow', or a `Preset`. device: 'auto', 'cpu', 'cuda' or
    a `torch.device`.
    start, end: seconds of a video file (12.5, "1:30" or a Fraction): the frames with
    start <= time < end. max_frames: at most this many.
    audio: 'copy' keeps the video's audio as it is, 'opus' codes it, 'none' leaves it out; 'auto'
    codes it where it takes more than 32 kilobits a second. True is 'copy', False 'none'.
    audio_bitrate: of Opus, 6,000 to 256,000 bits a second; 16,000 when None.
    video_track, audio_track: which of the file's, from 0; those that ffmpeg takes when None: the
    default, else the largest picture and the most channels.
    quality: 0 to 100, how finely controls are quantised; 16 points halve the step. bitrate: bits a
    second that motion may take, person and audio not counted: the highest quality that keeps to it
    is used, whatever `quality` is. precision: 'quantised', or 'f16' or 'f32', which store controls
    as they are.
    id_frame: the frame of the span, from 0, to take the person from; the best one when None.
    tune: how many bytes of the stream go into likeness: 'small' some 10 KB, 'light' 70, 'full' 700,
    'none' nothing. When None it is small; none with `identity`, whose tuning counts, and with the
    preset live.
    identity: a `.fci` file with the person, who is then not sought in the clip; the stream refers
    to it by its SHA-256. any_face: even where nobody in the clip is like them. face:
    whom to follow where the first frame with a face shows several: 'largest' (so when None),
    'left', 'right', a number from the left, or 'x,y' in pixels of the source. live: squares and
    controls are smoothed with past frames alone, as an encoder at one end of a call has to. force:
    overwrite the output.
    context: everything of the frame but the face: 'off', 'still' for one picture, for a room and a
    camera that stand still, or the bits a second that it may take. With one, a stream decodes to
    the source's frame.
    progress: called with a stage's name, the units done and their number (None if unknown).
    foretell: called once, before the work, with about how many seconds it will take; not where the
    source does not tell how many frames it has.

    The output appears whole or not at all. Until it does, and unless `keep_person` is False, the
    person is kept beside it in `OUTPUT.person.fci`, which an encode that is cut short leaves. A
    file of that name stays as it is; the person is then kept in `OUTPUT.2.person.fci`.
    checkpoint: keep the person and the motion so far, every ten seconds, in the folder
    `OUTPUT.checkpoint`; the same call goes on there, to the same bytes, and removes it when it is
    done. parts: a part of the tracking alone, see `facecodec.batch`; the stream is the same.

    Frames that show somebody else are flagged as without a face, and repeat the person's last
    controls: the person is the one in the identity frame where that is given, else the one most
    like `identity`, else the one whom most frames show; when `live`, most frames of the first two
    seconds in which there is a face.

    Raises NoFaceError when no frame shows a face; UsageError when `output` exists and `force` is
    not set, an argument is not one of the above, or nobody in the clip is like `identity`;
    ModelError when a model is missing; FacecodecError when the source cannot be read or the output
    not be written.
    """
    output, stages = Path(output), Stages()
    refuse_overwrite(output, force, [_path_of(source), identity, rig])
    check_stream_options(output, quality, precision)
    choice = audio if isinstance(audio, str) else ("copy" if audio else "none")
    check_audio(choice, audio_bitrate)
    check_target(bitrate, precision)
    bare = None if raw is None else RawPictures.of(raw, seconds(fps) or Fraction(0))
    around = check_context(context)
    if around is not None:
        check_encoder()
    whole_or_none(id_frame, "id_frame")
    plan = preset_of(preset)
    tune = settled_tune(tune, known=identity is not None, live=plan.live)
    given = load_identity_file(identity) if identity else None
    require_models(model, person=True)
    span, tracks = (
        Span(*between(start, end), max_frames, FaceChoice.of(face)),
        (video_track, audio_track),
    )
    live = live or plan.live
    if checkpoint and plan.live:
        raise UsageError("a clip that is read once, as it comes, has no checkpoint")
    reader = partial(VideoReader, video_track=tracks[0], audio_track=tracks[1], raw=bare)
    settings: tuple[object, ...] = model, plan, span, tracks, id_frame, tune, live, any_face
    if bare is not None:
        settings = *settings, bare
    files = {"source": source, "identity": identity, "rig": rig}
    with (
        resumable(output, files, repr(settings), checkpoint, beside=parts.beside),
        _opened(source, span, fps, live, progress, reader) as clip,
        KeptPerson(output) as kept,
    ):
        heard = settled(clip.audio, clip.source.audio_packets, choice)
        models = load_models(model, rig, device)
        if foretell is not None:
            needed = estimated_seconds(models, plan, tune, clip, known=given is not None)
            if needed is not None:
                foretell(needed)
        stages.end("models")
        kept_beside = keep_person and not given and not checkpoint
        fit = Fit(
            models=models,
            plan=plan,
            tune=tune,
            id_frame=id_frame,
            any_face=any_face,
            parts=parts,
            stages=stages,
            progress=progress,
            found=kept.keep if kept_beside else nobody_told,
        )
        if given:
            known = Avatar.from_identity_file(given, model=models, name=str(identity))
            fitted = fit.known(clip, known, str(identity))
        else:
            fitted = fit.stranger(clip)
        metadata = {
            "identity_frame": str(fitted.enrolment.frame),
            "preset": preset_name(preset),
            "tune": tune,
            **({"live": "yes"} if clip.live else {}),
        }
        size = clip.width, clip.height

        def stored_at(points: int) -> tuple[StreamHeader, Motion]:
            header = new_header(
                models, size, clip.time_base, clip.frame_rate, precision, points, metadata
            )
            return stored(header, models.rig, fitted.motion)

        if bitrate is not None:
            quality = quality_for(bitrate, stored_at, clip)
        header, motion = stored_at(quality)
        sound = chosen_audio(clip.audio, clip.audio_packets, heard, audio_bitrate)
        avatar = fitted.avatar
        with opened_whole(output) as file:
            person = given.sha256 if given else avatar
            drawn = Drawn(avatar, motion.controls) if avatar.tuning else None
            behind = made_context(clip, header, around, progress, drawn)
            stages.end("context")
            written = write_clip(file, header, clip, person, motion, sound, behind)
        stages.end("writing")
        dropped = None if choice == "none" else clip.audio_dropped
        frame = fitted.enrolment.frame
        done = summarise(clip, motion, written, stages, frame, sound.parameters, dropped)
        return replace(done, quality=quality, context_moving=behind.moving if behind else None)


def made_context(
    clip: Clip, header: StreamHeader, bits: int | None, progress: Progress, drawn: Drawn | None
) -> MadeContext | None:
    """Return the context of a clip at so many bits a second, 0 for a still one, None for none.

    drawn: a tuned person as they are stored, None for one who is not tuned.
    """
    if bits is None:
        return None
    plan = plan_context(bits, (clip.width, clip.height), clip.frame_rate, clip.duration)
    return best_context(clip, plan, usual_frames(header), drawn, progress)


def _path_of(source: Source) -> str | Path | None:
    """Return the file that a source is read from, None for pictures in memory."""
    if isinstance(source, Clip):
        return None if isinstance(source.source, FramesInMemory) else source.source.path
    return source if isinstance(source, str | Path) else None


def _opened(
    source: Source,
    span: Span,
    fps: Time,
    live: bool,
    progress: Progress,
    read: Callable[[Path], VideoReader],
) -> AbstractContextManager[Clip]:
    """Open the source as a clip, which is closed at the end unless it is the caller's own.

    read: opens a video file.
    """
    if isinstance(source, Clip):
        return nullcontext(source)
    if isinstance(source, str | Path) and is_series(source):
        rate = seconds(fps)
        if not rate:
            raise UsageError(f"{source}: {fps!r} pictures a second", argument="fps")
        reader = SeriesReader(Path(source), rate)
        return Clip(reader, span, live=live, progress=progress)
    if isinstance(source, str | Path):
        return Clip(read(Path(source)), span, live=live, progress=progress)
    return Clip(FramesInMemory(source, fps), span, live=live, progress=progress)
