"""`facecodec web`: streams that any browser plays."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from facecodec.cli import console, options
from facecodec.cli.piped import rereadable
from facecodec.cli.progress import WEB, shown


@click.group()
def command() -> None:
    """Put streams where any browser plays them.

    \b
    facecodec web export talks/ alice.fcv bob.fcv
    facecodec web serve talks/
    """


@command.command()
@click.argument("output", type=options.PATH, metavar="OUT_DIR")
@click.argument("sources", type=options.PATH, metavar="IN.fcv...", nargs=-1, required=True)
@click.option("--title", metavar="TEXT", help="Of the page.  [default: the first stream's name]")
@options.identity
@options.rig
@options.device
@options.kernel
@options.verbosity
@options.force
def export(
    output: Path,
    sources: tuple[Path, ...],
    title: str | None,
    identity: str | None,
    rig: str | None,
    device: str,
    force: bool,
) -> None:
    """Write a folder with a page that plays streams.

    It has all that it needs: the page, the player, the generator's weights (16 MB, in half
    precision), the rig, the streams. The page draws the pictures itself, fetches from its own
    folder alone, and says under which licence the weights are.

    \b
    facecodec web export talks/ alice.fcv bob.fcv --title "Two talks"
    """
    from facecodec.web.export import export as exported

    with rereadable(*sources) as files, shown(WEB) as progress:
        streams = tuple(file for file in files if file is not None)
        done = exported(
            output, streams, title=title, identity=identity, rig=rig, device=device, force=force,
            progress=progress,
        )  # fmt: skip
    count = f"{done.streams} stream{'s' if done.streams > 1 else ''}"
    console.say(f"{output}: {count}, {done.bytes / 1e6:.1f} MB in all")
    console.say(f"to look at it: facecodec web serve {output}")


@command.command()
@click.argument("folder", type=options.PATH, metavar="DIR")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: any free one]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@options.verbosity
def serve(folder: Path, port: int, no_browser: bool) -> None:
    """Show an exported folder in a browser on this machine.

    Only this machine can reach it. Ctrl-C ends it.

    \b
    facecodec web serve talks/
    """
    from facecodec.web.serve import FolderServer

    with FolderServer(folder, port) as server:
        console.result(server.url)
        if not no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.say("closed")


@command.command()
@click.argument("folder", type=options.PATH, metavar="DIR")
@click.argument("source", metavar="SOURCE")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: any free one]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@options.identity
@options.verbosity
def relay(folder: Path, source: str, port: int, no_browser: bool, identity: str | None) -> None:
    """Show a live stream in browsers on this machine.

    DIR is an exported folder, which has the generator. SOURCE is udp://host:port to listen at, or -
    for a stream on standard input. Its motion goes to the page by WebSocket, some 10 kilobits a
    second; its sound does not. Ctrl-C ends it. Needs facecodec[relay].

    \b
    facecodec web relay talks/ udp://:5000
    facecodec live send /dev/video0 --to udp://127.0.0.1:5000 --identity me.fci
    """
    import threading

    from facecodec.bitstream import load_identity_file
    from facecodec.live.address import SCHEME
    from facecodec.live.receive import open_inlet
    from facecodec.web.relay import Relay, RelayServer, pass_on

    known = None if identity is None else load_identity_file(identity)
    datagrams = source.startswith(SCHEME)
    passing = Relay(datagrams=datagrams, identity=known)
    inlet = open_inlet(source)
    server = RelayServer(folder, passing, port)
    server.start()
    console.result(server.url)
    if not no_browser:
        webbrowser.open(server.url)
    try:
        pass_on(inlet, datagrams, passing, threading.Event())
        console.say(f"the sender has ended, after {passing.frames} frames")
    except KeyboardInterrupt:
        console.say("closed")
    finally:
        server.close()
