"""`facecodec cut`: a part of a stream, without encoding it again."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

import click

from facecodec.cli import console, options


@click.command()
@click.argument("source", type=options.FILE, metavar="IN.fcv")
@click.argument("output", type=options.FILE, metavar="OUT.fcv")
@options.times
@options.as_json_beside_output
@options.verbosity
@options.force
def command(
    source: str,
    output: str,
    start: Fraction | None,
    end: Fraction | None,
    json_: bool,
    force: bool,
) -> None:
    """Cut a part out of a .fcv stream, exact to the frame.

    Nothing is encoded again. Times are those of the source, and stay so: a cut that begins at 1:30
    still says 1:30.

    \b
    facecodec cut talk.fcv part.fcv --start 1:30 --end 1:40.5
    facecodec cut talk.fcv - --end 10 | facecodec decode - ten.mp4
    """
    from facecodec.decoding.cut import cut

    done = cut(source, output, start=start, end=end, force=force)
    if json_:
        facts = asdict(done) | {"damage": [str(damage) for damage in done.damage]}
        console.json_result(facts, output)
    console.say(f"{output}: {done.frames} frames, {done.bytes} bytes")
    console.say_damage(done.damage)
