"""`facecodec context`: the room around the face, for a stream that is there already."""

from __future__ import annotations

from dataclasses import asdict

import click

from facecodec.cli import console, options, progress
from facecodec.cli.piped import rereadable


@click.command()
@click.argument("source", type=options.FILE, metavar="IN.fcv")
@click.argument("video", type=options.FILE, metavar="CLIP")
@click.argument("output", type=options.FILE, metavar="OUT.fcv")
@click.argument("context", type=options.ContextRate(), metavar="still|RATE")
@options.as_json_beside_output
@options.verbosity
@options.force
def command(
    source: str, video: str, output: str, context: str | int, json_: bool, force: bool
) -> None:
    """Add the rest of the frame to a .fcv stream that is there.

    Decode then gives the whole frame back.

    CLIP is what IN.fcv was encoded from. `still` is one picture, for a room and a camera that stand
    still; RATE, such as 8k bits a second, films it. Nothing is fitted again, and a context that
    IN.fcv has is replaced. Either input may be - for standard input.

    \b
    facecodec context talk.fcv talk.mp4 whole.fcv 8k
    facecodec context talk.fcv talk.mp4 whole.fcv still
    """
    from facecodec.editing.context import add_context

    with (
        rereadable(source, video) as (stream, clip),
        progress.shown({"context": 1.0}) as report,
    ):
        assert stream is not None and clip is not None
        done = add_context(stream, clip, output, context, force=force, progress=report)
    if json_:
        console.json_result(asdict(done), output)
    console.say(
        f"{output}: {done.frames} frames, {done.bytes} bytes, {done.context_bytes} of the context"
    )
    if context == "still" and (moving := console.said_of_moving(done.moving)):
        console.say(f"  {moving}")
