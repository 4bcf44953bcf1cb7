"""`facecodec export`: the controls of a stream as a table."""

from __future__ import annotations

from dataclasses import asdict

import click

from facecodec.cli import console, options


@click.command()
@click.argument("source", type=options.FILE, metavar="IN.fcv")
@click.argument("output", type=options.FILE, metavar="OUT")
@click.option(
    "--blendshapes", is_flag=True,
    help="The 52 blendshapes of ARKit's names in place of the controls.",
)  # fmt: skip
@options.rig
@options.as_json_beside_output
@options.verbosity
@options.force
def command(
    source: str, output: str, blendshapes: bool, rig: str | None, json_: bool, force: bool
) -> None:
    """Write the controls of every frame as a table.

    OUT ends in .csv, .json or .npz; - is CSV on standard output. Values are exact:
    edit --from takes them back, bit for bit. Blendshapes are a linear map of the controls, which
    tells them roughly, and the head's pose is none of them.

    \b
    facecodec export talk.fcv talk.csv
    facecodec export talk.fcv talk.npz
    facecodec export talk.fcv talk.csv --blendshapes
    """
    from facecodec.editing.edit import export

    done = export(source, output, blendshapes=blendshapes, rig=rig, force=force)
    if json_:
        facts = asdict(done) | {"damage": [str(damage) for damage in done.damage]}
        console.json_result(facts, output)
    what = "blendshapes" if blendshapes else "controls"
    console.say(f"{output}: {done.frames} frames of {done.controls} {what}")
    console.say_damage(done.damage)
