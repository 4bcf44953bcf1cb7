"""`facecodec puppet`: one person, another's motion."""

from __future__ import annotations

from dataclasses import asdict

import click

from facecodec.cli import console, options, progress


@click.command()
@click.option(
    "--source", type=options.FILE, required=True, help="Who: a picture, a video, a .fcv or a .fci."
)
@click.option("--driver", type=options.FILE, required=True, help="Motion: a video or a .fcv.")
@click.argument("output", type=options.FILE, metavar="OUT")
@click.option("--absolute", is_flag=True, help="Turn the head as far as the driver's is turned.")
@click.option(
    "--no-retarget", is_flag=True, help="Copy the controls, without looking at the source's face."
)
@options.size
@options.identity
@options.model
@options.rig
@options.preset
@options.device
@options.max_frames
@options.kernel
@options.no_audio
@options.as_json_beside_output
@options.verbosity
@options.force
def command(
    source: str,
    driver: str,
    output: str,
    absolute: bool,
    no_retarget: bool,
    size: int | None,
    identity: str | None,
    model: str,
    rig: str | None,
    preset: str,
    device: str,
    max_frames: int | None,
    no_audio: bool,
    json_: bool,
    force: bool,
) -> None:
    """Give the person in --source the motion of --driver.

    OUT is anything decode writes, or a .fcv. Motion is counted from the driver's rest,
    so that the source keeps its own resting pose, unless --absolute. The source's face is looked
    at and moved until it does what the driver's does, unless --no-retarget. Ask the people shown;
    the result says in its metadata that it is synthetic.

    \b
    facecodec puppet --source her.png --driver him.mp4 out.mp4
    facecodec puppet --source her.fcv --driver him.fcv out.fcv
    """
    from facecodec.puppetry.puppet import puppet

    with progress.shown(progress.PUPPET) as report:
        done = puppet(
            source, driver, output, absolute=absolute, retarget=not no_retarget, size=size,
            identity=identity, model=model, rig=rig, preset=preset, device=device,
            max_frames=max_frames, audio=not no_audio, force=force, progress=report,
        )  # fmt: skip
    if json_:
        console.json_result(asdict(done), output)
    if not (done.retargeted or no_retarget):
        console.say("no face can be read in the source's picture: controls are copied")
    console.say(f"{output}: {done.frames} frames in {done.seconds:.1f} s")
