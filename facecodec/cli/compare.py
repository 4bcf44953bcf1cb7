"""`facecodec compare`: one clip through facecodec and through conventional encoders."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.cli import options
from facecodec.cli.progress import shown
from facecodec.metrics.measures import MEASURES, written


def _numbers(_: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) <= 0:
        raise click.BadParameter("write positive numbers with commas: 5,10,20", param=param)
    return numbers


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.option(
    "--stream", "streams", multiple=True, type=click.Path(path_type=Path), metavar="FILE.fcv",
    help="Made of IN already; may be given several times.  [default: IN is encoded]",
)  # fmt: skip
@click.option("--codecs", default="x264,x265,svtav1,vp9", show_default=True)
@click.option(
    "--rates", default="5,10,20,40", show_default=True, callback=_numbers, help="Wanted kbps."
)
@click.option(
    "--scales", default="1,0.25", show_default=True, callback=_numbers,
    help="Sizes at which conventional codecs encode.",
)  # fmt: skip
@click.option(
    "--lengths", default="10,60", show_default=True, callback=_numbers,
    help="Seconds of clip for which the rate is told.",
)  # fmt: skip
@click.option("--max-frames", type=click.IntRange(8), default=300, show_default=True)
@click.option(
    "--face-landmarker", type=click.Path(path_type=Path), envvar="FACECODEC_FACE_LANDMARKER",
    metavar="FILE", help="MediaPipe's face_landmarker.task: expression, gaze and pose.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Curves: a page, OUT.html.")
@options.preset
@options.rig
@options.device
@options.as_json
@options.quiet
@options.force
def command(
    source: Path,
    streams: tuple[Path, ...],
    codecs: str,
    rates: tuple[float, ...],
    scales: tuple[float, ...],
    lengths: tuple[float, ...],
    max_frames: int,
    face_landmarker: Path | None,
    output: Path | None,
    preset: str,
    rig: str | None,
    device: str,
    json_: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Compare with x264, x265, AV1 and VP9 at the same bytes.

    Every codec is seen in the same aligned squares. All bytes count, audio does not.

    \b
    facecodec compare talk.mp4 -o curves.html
    facecodec compare talk.mp4 --stream talk.fcv --codecs x265,svtav1 --rates 3,6,12,24 --json
    """
    from facecodec.study.compare import compare
    from facecodec.study.compare_page import compare_page
    from facecodec.study.evaluate import Options

    if output:
        refuse_overwrite(output, force, [source, *streams])
    chosen = Options(face_landmarker, rig=Path(rig) if rig else None, device=device)
    with shown(quiet) as progress:
        result = compare(
            source, streams=streams, codecs=tuple(c for c in codecs.split(",") if c), rates=rates,
            scales=scales, lengths=lengths, max_frames=max_frames, preset=preset,
            options=chosen, progress=progress,
        )  # fmt: skip
    if output:
        with opened_whole(output) as file:
            file.write(compare_page(result).encode())
    if json_:
        click.echo(json.dumps(result.as_json(), indent=1))
        return
    if quiet:
        return
    measures = ("psnr_face", "ssim_face", "identity", "rho_au", "rho_gaze", "rho_pose")
    table = Table(box=SIMPLE_HEAD)
    columns = ["codec", "scale", "bytes", "kbps", *(f"{s:g} s" for s in lengths)]
    for heading in [*columns, *(MEASURES[name].title.split(":")[0] for name in measures)]:
        table.add_column(heading, justify="left" if heading == "codec" else "right")
    for p in result.points:
        rates_at = [f"{kbps:.1f}" for kbps in p.at.values()]
        table.add_row(
            escape(p.codec), f"{p.scale:g}", str(p.bytes), f"{p.kbps:.1f}", *rates_at,
            *(written(name, p.values[name]) for name in measures),
        )  # fmt: skip
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    console.print(table)
    for note in result.notes:
        console.print(escape(note))
