"""`facecodec view`: drag the controls of a stream and see the face answer."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from facecodec.atomic import scratch_folder
from facecodec.cli import console, options
from facecodec.cli.piped import rereadable


@click.command()
@click.argument("source", type=options.PATH, metavar="IN.fcv")
@click.option(
    "--person", "people", multiple=True, type=options.PATH, metavar="FILE",
    help="A .fci or .fcv whose person can be swapped in; may be given several times.",
)  # fmt: skip
@options.identity
@click.option(
    "--size",
    type=int,
    metavar="PIXELS",
    default=512,
    show_default=True,
    help="Side of the picture.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: any free one]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@options.rig
@options.device
@options.kernel
@options.verbosity
def command(
    source: Path,
    people: tuple[Path, ...],
    identity: str | None,
    size: int,
    port: int,
    no_browser: bool,
    rig: str | None,
    device: str,
) -> None:
    """Move a stream's face by sliders, one for every control.

    They are on a page that opens in a browser; this process renders what they say. A slider sets
    its control for the whole stream, or with Keyframes a key at the frame that is shown, which
    fades in and out. What is set by hand can be undone, compared with the stream, and saved: as a
    picture in full size, or as a stream, which says that it was edited. A picture that is dropped
    on the page becomes a person that the stream moves, after a minute or so. Only this machine can
    reach the page, and only with the token in the printed address. Ctrl-C ends it. IN.fcv may be -
    for standard input.

    \b
    facecodec view talk.fcv
    facecodec view talk.fcv --person alice.fci --no-browser
    """
    from facecodec.study.server import ViewServer
    from facecodec.study.view import Studio

    with rereadable(source, *people) as (stream, *others):
        assert stream is not None
        known = tuple(file for file in others if file is not None)
        studio = Studio(
            stream, people=known, identity=Path(identity) if identity else None,
            rig=Path(rig) if rig else None, device=device, size=size,
        )  # fmt: skip
        with ViewServer(studio, port) as server, scratch_folder() as folder:
            console.result(server.url)
            if not no_browser:
                # By way of a file that only this user can read: everybody sees arguments.
                webbrowser.open(server.redirect_file(folder).as_uri())
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                console.say("closed")
            finally:
                studio.close()
