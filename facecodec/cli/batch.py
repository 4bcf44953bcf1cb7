"""`facecodec batch`: many clips at once, each done once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facecodec.bitstream import DEFAULT_QUALITY
from facecodec.cli import console, options
from facecodec.errors import UsageError

if TYPE_CHECKING:
    from facecodec.batch.batch import Batch
    from facecodec.batch.engine import Engine
    from facecodec.batch.run import Tally

AUTO = "auto"  # in place of a person's file: whoever each clip shows
FAILED = 1  # exit code where a clip failed


@click.group()
def command() -> None:
    """Encode, decode or measure many clips.

    \b
    facecodec batch encode clips/ --out streams/
    facecodec batch encode clips/ --out streams/ --resume    after an interruption
    facecodec batch decode streams/ --out videos/ --size 512
    facecodec batch eval streams/ --out figures/
    """


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Add what all batches take."""
    return options.together(
        click.argument("inputs", nargs=-1, required=True, type=options.FILE, metavar="IN..."),
        click.option(
            "--out", required=True, type=options.PATH, metavar="DIR",
            help="Folder of the outputs, and of manifest.jsonl, which has a line for each clip.",
        ),
        click.option(
            "--pattern", metavar="GLOB",
            help="Which files of a folder to take, such as '**/*.mp4'.  [default: by their names]",
        ),
        click.option(
            "--resume", is_flag=True,
            help="Go on in DIR: what is done there already, of the same content, with the same "
            "settings and version, is skipped.",
        ),
        click.option(
            "--workers", type=click.IntRange(1), metavar="N",
            help="Clips at the same time.  [default: one a core, as far as memory goes]",
        ),
        click.option(
            "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
            help="Processes on this machine, or Ray, which needs facecodec[batch].",
        ),
        click.option(
            "--ray-address", metavar="ADDRESS",
            help="Of a cluster, such as 10.0.0.1:6379; its nodes see the same files.  "
            "[default: Ray on this machine alone]",
        ),
        click.option(
            "--cpus", type=click.FloatRange(0.1), default=1.0, show_default=True,
            help="Cores of a worker, on Ray.",
        ),
        click.option(
            "--gpus", type=click.FloatRange(0), default=0.0, show_default=True,
            help="GPUs of a worker, on Ray; 0.25 lets four share one.",
        ),
        click.option(
            "--retries", type=click.IntRange(0), default=2, show_default=True,
            help="Further tries of what failed and may yet work.",
        ),
    )(command)  # fmt: skip


@command.command()
@shared
@options.model
@options.rig
@options.preset
@options.device
@options.max_frames
@click.option(
    "--quality", type=click.IntRange(0, 100), default=DEFAULT_QUALITY, show_default=True,
    help="How finely controls are quantised; 16 more halve the step.",
)  # fmt: skip
@click.option(
    "--bitrate", type=options.BitRate(), metavar="RATE",
    help="Of the motion, such as 2k bits a second: the best quality that keeps to it.",
)  # fmt: skip
@click.option(
    "--tune", type=click.Choice(["none", "small", "light", "full"]),
    help="Bytes for likeness, once a stream or person: small 10 KB, light 70 KB, full 700 KB. "
    "Default: small; none with a .fci file or --preset live.",
)  # fmt: skip
@click.option(
    "--identity", type=options.FILE, metavar="FILE.fci|auto",
    help="The person of all clips; auto: clips are grouped by whom they show, each is fitted once "
    "and written to a .fci file, to which the streams refer.",
)  # fmt: skip
@click.option("--any-face", is_flag=True, help="Go on even if nobody in a clip is the person.")
@click.option(
    "--audio", type=click.Choice(["auto", "copy", "opus", "none"]), default="auto",
    show_default=True, help="See `encode`.",
)  # fmt: skip
@click.option(
    "--checkpoint", is_flag=True,
    help="A clip whose worker is lost is gone on with, not begun again; see `encode`.",
)  # fmt: skip
@click.option(
    "--parts", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
    help="Long clips are tracked in up to N parts at the same time, of 500 frames at least.",
)  # fmt: skip
@options.as_json
@options.verbosity
@options.force
def encode(identity: str | None, rig: str | None, parts: int, **given: Any) -> None:
    """Encode many videos, each as `encode` does, to the same bytes.

    \b
    facecodec batch encode clips/ --out streams/ --preset fast --workers 4
    facecodec batch encode clips/ --out streams/ --identity auto --tune light
    facecodec batch encode lecture.mp4 --out streams/ --parts 4
    facecodec batch encode clips/ --out streams/ --engine ray --cpus 2
    """
    from facecodec.batch.batch import encode_batch

    names = ("model", "preset", "device", "max_frames", "quality", "bitrate", "tune", "any_face",
             "audio", "checkpoint")  # fmt: skip
    files = {"rig": rig, "identity": None if identity == AUTO else identity}
    _run(lambda batch: encode_batch(batch, identity == AUTO, parts), given, names, files)


@command.command()
@shared
@options.size
@options.max_frames
@click.option(
    "--canvas", type=click.Choice(["face", "source"]), default="face", show_default=True,
    help="The face square alone, or back in a frame of the source's size.",
)  # fmt: skip
@click.option(
    "--container", type=click.Choice(["mp4", "mkv", "mov", "webm", "y4m"]), default="mp4",
    show_default=True, help="Kind of the videos.",
)  # fmt: skip
@options.identity
@options.rig
@options.device
@options.no_audio
@options.as_json
@options.verbosity
@options.force
def decode(
    container: str, identity: str | None, rig: str | None, no_audio: bool, **given: Any
) -> None:
    """Decode many streams, each as `decode` does.

    \b
    facecodec batch decode streams/ --out videos/ --size 512
    """
    from facecodec.batch.batch import decode_batch

    names = ("size", "max_frames", "canvas", "device", "audio")
    files = {"rig": rig, "identity": identity}
    _run(
        lambda batch: decode_batch(batch, f".{container}"),
        given | {"audio": not no_audio}, names, files,
    )  # fmt: skip


@command.command("eval")
@shared
@click.option(
    "--ref", type=options.PATH, metavar="DIR",
    help="Folder of the videos, by the streams' names.  [default: as the manifest beside the "
    "streams says]",
)  # fmt: skip
@options.max_frames
@options.face_landmarker
@options.identity
@options.rig
@options.device
@options.as_json
@options.verbosity
@options.force
def evaluate(
    ref: Path | None,
    face_landmarker: Path | None,
    identity: str | None,
    rig: str | None,
    **given: Any,
) -> None:
    """Measure many streams against what they were made of, each as `eval` does.

    \b
    facecodec batch eval streams/ --out figures/
    facecodec batch eval streams/ --out figures/ --ref clips/
    """
    from facecodec.batch.batch import eval_batch

    landmarker = None if face_landmarker is None else str(face_landmarker)
    files = {"rig": rig, "identity": identity, "face_landmarker": landmarker}
    _run(lambda batch: eval_batch(batch, ref), given, ("max_frames", "device"), files)


def _run(
    work: Callable[[Batch], Tally],
    given: dict[str, Any],
    names: Sequence[str],
    files: dict[str, str | None],
) -> None:
    """Run a batch, show how it goes, and end with 1 where a clip failed.

    names: which of the options are settings of the verb.
    """
    from facecodec.batch.batch import Batch
    from facecodec.cli.batch_table import shown

    for name, path in files.items():
        if path is not None and not Path(path).is_file():
            raise UsageError(f"{path} does not exist", argument=name)
    with shown() as report:
        tally = work(
            Batch(
                given["inputs"],
                given["out"],
                lambda: _engine(given),
                pattern=given["pattern"],
                settings={name: given[name] for name in names},
                files={name: path for name, path in files.items() if path is not None},
                resume=given["resume"],
                force=given["force"],
                retries=given["retries"],
                report=report,
            )
        )
    seconds = report.seconds
    if given["json_"]:
        console.json_result(
            {
                "clips": tally.total, "done": tally.done, "skipped": tally.skipped,
                "failed": tally.failed, "frames": tally.frames, "seconds": round(seconds, 3),
                "manifest": str(given["out"] / "manifest.jsonl"),
            }
        )  # fmt: skip
    rate = f", {tally.frames / seconds:.1f} frames a second" if tally.frames else ""
    console.say(
        f"{given['out']}: {tally.done} done, {tally.skipped} skipped, {tally.failed} failed "
        f"of {tally.total} clips in {seconds:.1f} s{rate}"
    )
    if tally.failed:
        console.say(f"  {given['out'] / 'manifest.jsonl'} says what failed, and why")
        raise SystemExit(FAILED)


def _engine(given: dict[str, Any]) -> Engine:
    """Return the workers that the options ask for."""
    if given["engine"] == "local":
        from facecodec.batch.local import LocalEngine

        return LocalEngine(given["workers"])
    from facecodec.batch.on_ray import RayEngine

    return RayEngine(given["ray_address"], given["workers"], cpus=given["cpus"], gpus=given["gpus"])
