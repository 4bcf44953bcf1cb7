"""`facecodec report`: what is in a stream, as one self-contained page."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.cli import options
from facecodec.cli.progress import shown


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="IN.fcv")
@click.option("--ref", type=click.Path(path_type=Path), help="The video it was made of.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT.html",
    help="The page.",
)  # fmt: skip
@click.option("--identity", type=click.Path(path_type=Path), help="The .fci file it refers to.")
@click.option(
    "--face-landmarker", type=click.Path(path_type=Path), envvar="FACECODEC_FACE_LANDMARKER",
    metavar="FILE", help="MediaPipe's face_landmarker.task: expression, gaze and pose.",
)  # fmt: skip
@click.option(
    "--max-frames", type=click.IntRange(1), default=900, show_default=True,
    help="The page holds its whole video.",
)  # fmt: skip
@options.rig
@options.device
@options.kernel
@options.quiet
@options.force
def command(
    source: Path,
    ref: Path | None,
    output: Path,
    identity: Path | None,
    face_landmarker: Path | None,
    max_frames: int,
    rig: str | None,
    device: str,
    quiet: bool,
    force: bool,
) -> None:
    """Write one page: player, rate split, controls over time, quality, worst frames.

    The page needs no network and no other file.

    \b
    facecodec report talk.fcv --ref talk.mp4 -o talk.html
    """
    from facecodec.study.evaluate import Options
    from facecodec.study.report import gather
    from facecodec.study.report_page import report_page

    refuse_overwrite(output, force, [source, ref, identity])
    chosen = Options(face_landmarker, 10, Path(rig) if rig else None, device)
    with shown(quiet) as progress:
        report = gather(
            source, ref, identity=identity, max_frames=max_frames, options=chosen,
            progress=progress,
        )  # fmt: skip
    page = report_page(report).encode()
    with opened_whole(output) as file:
        file.write(page)
    if not quiet:
        size = len(page) / 1e6
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"{escape(str(output))}: {len(report.times)} frames, {size:.1f} MB")
