"""`facecodec puppet`: one person, another's motion."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

import click

from facecodec.cli import console, options, progress
from facecodec.cli.piped import rereadable


@click.command()
@click.option(
    "--source", type=options.FILE, required=True, help="Who: a picture, a video, a .fcv or a .fci."
)
@click.option("--driver", type=options.FILE, required=True, help="Motion: a video or a .fcv.")
@click.argument("output", type=options.FILE, metavar="OUT")
@click.option(
    "--regions",
    metavar="LIST",
    help="What the driver moves: pose,gaze,eyes,brows,mouth,jaw,expression.  [default: all]",
)
@click.option(
    "--strength", metavar="X|LIST", help="How strongly: 1.3, or by region: mouth=1.2,pose=0.5."
)
@click.option(
    "--absolute/--relative",
    default=False,
    help="Turn the head as far as the driver's is turned, or as far from its own rest.",
)
@click.option(
    "--rest",
    type=click.IntRange(0),
    metavar="FRAME",
    help="The driver's frame at rest, from 0; found where not given.",
)
@click.option(
    "--source-rest", type=click.Choice(["keep", "neutral"]), default="keep", show_default=True,
    help="The source's face at rest: as shown, or neutral, for a picture with a grin or a wink.",
)  # fmt: skip
@click.option(
    "--keep-motion",
    is_flag=True,
    help="A source that is a video or a .fcv goes on moving where the driver moves nothing.",
)
@click.option(
    "--beyond", type=click.Choice(["hold", "loop", "stop"]), default="hold", show_default=True,
    help="With --keep-motion: what there is beyond the end of the shorter of the two.",
)  # fmt: skip
@click.option(
    "--no-retarget", is_flag=True, help="Copy the controls, without looking at the source's face."
)
@click.option(
    "--canvas", type=click.Choice(["source", "face"]),
    help="The source's frame, in which the head moves, or the face square alone.  "
    "[default: source for pictures and videos]",
)  # fmt: skip
@click.option("--side-by-side", is_flag=True, help="Show the driver to the left.")
@click.option(
    "--audio",
    type=click.Choice(["driver", "source", "none"]),
    default="driver",
    show_default=True,
    help="Whose sound; source needs --keep-motion.",
)
@options.size
@options.identity
@options.model
@options.rig
@options.preset
@click.option(
    "--tune", type=click.Choice(["none", "small", "light", "full"]),
    help="Of a source that is a picture or a video, as of encode.  [default: small]",
)  # fmt: skip
@options.device
@options.span
@options.kernel
@options.as_json_beside_output
@options.verbosity
@options.force
def command(
    source: str,
    driver: str,
    output: str,
    regions: str | None,
    strength: str | None,
    absolute: bool,
    rest: int | None,
    source_rest: str,
    keep_motion: bool,
    beyond: str,
    no_retarget: bool,
    canvas: str | None,
    side_by_side: bool,
    audio: str,
    size: int | None,
    identity: str | None,
    model: str,
    rig: str | None,
    preset: str,
    tune: str | None,
    device: str,
    start: Fraction | None,
    end: Fraction | None,
    max_frames: int | None,
    json_: bool,
    force: bool,
) -> None:
    """Give the person in --source the motion of --driver.

    OUT is anything decode writes, or a .fcv. Motion is counted from the driver's rest,
    so that the source keeps its own resting pose, unless --absolute. The source's face is looked
    at and moved until it does what the driver's does, unless --no-retarget. With --regions the rest
    of the face stays still, or goes on as in the source with --keep-motion: her head and eyes, his
    lips and voice. --start, --end and --max-frames are of the driver. Ask the people shown; the
    result says in its metadata that it is synthetic.

    A source that is a picture, a video or a stream with a context keeps its frame: the head moves
    in its room, unless --canvas face. Either input may be - for standard input.

    \b
    facecodec puppet --source her.png --driver him.mp4 out.mp4
    facecodec puppet --source her.fcv --driver him.fcv out.fcv
    facecodec puppet --source her.mp4 --driver him.mp4 out.mp4 \\
        --regions mouth,jaw --keep-motion
    """
    from facecodec.puppetry.puppet import puppet

    with (
        rereadable(source, driver) as (who, motion),
        progress.shown(progress.PUPPET) as report,
    ):
        assert who is not None and motion is not None
        done = puppet(
            who, motion, output, regions=None if regions is None else regions.split(","),
            strength=_strength(strength), absolute=absolute, rest=rest, source_rest=source_rest,
            retarget=not no_retarget, keep_motion=keep_motion, beyond=beyond, identity=identity,
            model=model, rig=rig, preset=preset, tune=tune, size=size, side_by_side=side_by_side,
            canvas=canvas, device=device, start=start, end=end, max_frames=max_frames, audio=audio,
            force=force, progress=report,
        )  # fmt: skip
    if json_:
        console.json_result(asdict(done), output)
    if not (done.retargeted or no_retarget):
        console.say("no face can be read in the source's picture: controls are copied")
    console.say(f"{output}: {done.frames} frames in {done.seconds:.1f} s")


def _strength(given: str | None) -> float | dict[str, float]:
    """Return what --strength says: a number, or one by region. Raises click's error for neither."""
    if given is None:
        return 1.0
    try:
        if "=" not in given:
            return float(given)
        pairs = [part.rpartition("=") for part in given.split(",")]
        return {name.strip(): float(number) for name, _, number in pairs}
    except ValueError:
        raise click.BadParameter(f"{given!r} is neither X nor REGION=X,...") from None
