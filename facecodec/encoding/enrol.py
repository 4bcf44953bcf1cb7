"""Enrol: a clip, or some pictures, of a person to a `.fci` file, which many streams refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from facecodec.arguments import whole_or_none
from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.bitstream import IdentityFile, read_identity
from facecodec.clip.clip import Clip
from facecodec.clip.portraits import Portraits
from facecodec.encoding.fitted import Fit
from facecodec.encoding.preparation import prepared
from facecodec.encoding.presets import LIVE_TRACKING, Preset, preset_of
from facecodec.encoding.summary import Stages
from facecodec.encoding.tuning import settled_tune
from facecodec.errors import UsageError
from facecodec.models import Device, load_models, require_models
from facecodec.progress import Progress, silent
from facecodec.seconds import Time
from facecodec.weights.catalogue import DEFAULT_GENERATOR


@dataclass(frozen=True)
class EnrolSummary:
    """What was enrolled.

    person: what is in the file, with its SHA-256. frames: of the clip, or pictures; identity_frame:
    the one that the person at rest was taken from, counted from 0; other_face: those that show
    somebody else, and no_face those that show nobody. stages: seconds spent in each.
    """

    person: IdentityFile
    frames: int
    identity_frame: int
    no_face: int
    other_face: int
    stages: dict[str, float]


def enrol(
    sources: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    model: str = DEFAULT_GENERATOR,
    rig: str | Path | None = None,
    preset: str | Preset = "medium",
    device: Device = "auto",
    start: Time | None = None,
    end: Time | None = None,
    max_frames: int | None = None,
    video_track: int | None = None,
    id_frame: int | None = None,
    tune: str | None = None,
    prepare: bool = True,
    force: bool = False,
    progress: Progress = silent,
) -> EnrolSummary:
    """Write the person of a clip, or of some pictures, to a `.fci` file.

    sources: a video file, or one or several pictures of one person. output: the `.fci` file; '-' is
    standard output. start, end, max_frames, video_track: the part of a video to look at. id_frame:
    the frame of it, or the picture, from 0, that shows the person at rest; the best one when None.
    tune: how many bytes of the file go into likeness, see `facecodec.encode`. model, rig, preset,
    device, force, progress: as there.

    What tracking them live needs is prepared too, unless `prepare` is False, and kept in the user's
    cache.

    Raises NoFaceError when no frame, or one of the pictures, shows no face; UsageError when
    `output` exists and `force` is not set, or an argument is not one of the above; ModelError when
    a model is missing; FacecodecError when a source cannot be read or the output not be written.
    """
    paths = [sources] if isinstance(sources, str | Path) else list(sources)
    if not paths:
        raise UsageError("no clip and no picture to take a person from")
    stages = Stages()
    refuse_overwrite(output, force, [*paths, rig])
    if str(output) != "-" and Path(output).suffix.lower() != ".fci":
        raise UsageError(f"{output}: a person is a .fci file; call it so")
    tune = settled_tune(tune, known=False, live=False)
    whole_or_none(id_frame, "id_frame")
    plan = preset_of(preset)
    require_models(model, person=True)
    if len(paths) == 1:
        opened: Clip = Clip.open(
            paths[0], start, end, max_frames, video_track=video_track, progress=progress
        )
    elif any(part is not None for part in (start, end, max_frames, video_track)):
        raise UsageError("several pictures have no span and no tracks; give one clip for that")
    else:
        opened = Portraits.of(paths, progress)
    with opened as clip:
        models = load_models(model, rig, device)
        stages.end("models")
        _ = clip.scan  # sought where it is first asked for
        stages.end("face")
        fit = Fit(
            models=models, plan=plan, tune=tune, id_frame=id_frame, stages=stages, progress=progress
        )
        avatar, enrolment = fit.person(clip)
        others, nobody = int(clip.other.sum()), int((~clip.seen & ~clip.scan.near).sum())
        frames = len(clip)
    packed = avatar.identity_file().pack()
    with opened_whole(output) as file:
        file.write(packed)
    stages.end("writing")
    person = read_identity(BytesIO(packed), str(output))
    if prepare:
        prepared(avatar, LIVE_TRACKING, progress)
        stages.end("preparing")
    no_face = nobody - others
    return EnrolSummary(person, frames, enrolment.frame, no_face, others, stages.seconds)
