"""`facecodec report`: what is in a stream, as one self-contained page."""

from __future__ import annotations

from pathlib import Path

import click

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.cli import console, options
from facecodec.cli.piped import rereadable
from facecodec.cli.progress import REPORT, shown


@click.command()
@click.argument("source", type=options.PATH, metavar="IN.fcv")
@click.option("--ref", type=options.PATH, help="The video it was made of.")
@click.option(
    "-o", "--output", type=options.PATH, required=True, metavar="OUT.html",
    help="The page.",
)  # fmt: skip
@options.identity
@options.face_landmarker
@click.option(
    "--max-frames", type=click.IntRange(1), default=900, show_default=True,
    help="Show at most this many frames; the page holds all of its video.",
)  # fmt: skip
@options.rig
@options.device
@options.kernel
@options.verbosity
@options.force
def command(
    source: Path,
    ref: Path | None,
    output: Path,
    identity: str | None,
    face_landmarker: Path | None,
    max_frames: int,
    rig: str | None,
    device: str,
    force: bool,
) -> None:
    """Write a page that shows what is in a stream.

    A player, where the bytes go, controls over time, quality, worst frames. The page needs no
    network and no other file. IN.fcv may be - for standard input.

    \b
    facecodec report talk.fcv --ref talk.mp4 -o talk.html
    """
    from facecodec.study.evaluate import Options
    from facecodec.study.report import gather
    from facecodec.study.report_page import report_page

    refuse_overwrite(output, force, [source, ref, identity, rig, face_landmarker])
    chosen = Options(face_landmarker, 10, Path(rig) if rig else None, device)
    with rereadable(source, ref) as (stream, video), shown(REPORT) as progress:
        assert stream is not None
        report = gather(
            stream, video, identity=Path(identity) if identity else None, max_frames=max_frames,
            options=chosen, progress=progress,
        )  # fmt: skip
    page = report_page(report).encode()
    with opened_whole(output) as file:
        file.write(page)
    console.say(f"{output}: {len(report.times)} frames, {len(page) / 1e6:.1f} MB")
