"""`facecodec compare`: one clip through facecodec and through conventional encoders."""

from __future__ import annotations

from pathlib import Path

import click

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.cli import console, options
from facecodec.cli.progress import COMPARE, shown


def _numbers(_: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) <= 0:
        raise click.BadParameter("write positive numbers with commas: 5,10,20", param=param)
    return numbers


@click.command()
@click.argument("source", type=options.PATH, metavar="IN")
@click.option(
    "--stream", "streams", multiple=True, type=options.PATH, metavar="FILE.fcv",
    help="A stream made of IN already; may be given several times.  [default: IN is encoded]",
)  # fmt: skip
@click.option(
    "--codecs", default="x264,x265,svtav1,vp9", show_default=True, help="Encoders to compare with."
)
@click.option(
    "--rates", default="5,10,20,40", show_default=True, callback=_numbers, help="Wanted kbps."
)
@click.option(
    "--scales", default="1,0.25", show_default=True, callback=_numbers,
    help="Sizes at which conventional codecs encode.",
)  # fmt: skip
@click.option(
    "--lengths", default="10,60", show_default=True, callback=_numbers,
    help="Seconds of clip for which the rate is shown.",
)  # fmt: skip
@click.option(
    "--max-frames", type=click.IntRange(8), default=300, show_default=True,
    help="Stop after this many frames.",
)  # fmt: skip
@options.face_landmarker
@click.option("-o", "--output", type=options.PATH, help="Curves: a page, OUT.html.")
@options.preset
@options.identity
@options.rig
@options.device
@options.as_json_beside_output
@options.verbosity
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
    identity: str | None,
    rig: str | None,
    device: str,
    json_: bool,
    force: bool,
) -> None:
    """Compare with x264, x265, AV1 and VP9 at the same bytes.

    Every codec is seen in the same aligned squares. All bytes count, audio does not.

    \b
    facecodec compare talk.mp4 -o curves.html
    facecodec compare talk.mp4 --stream talk.fcv --rates 3,6,12 --json
    """
    from facecodec.metrics.measures import MEASURES, written
    from facecodec.study.compare import compare
    from facecodec.study.compare_page import compare_page
    from facecodec.study.evaluate import Options

    if output:
        refuse_overwrite(output, force, [source, *streams, identity, rig, face_landmarker])
    chosen = Options(
        face_landmarker, rig=Path(rig) if rig else None, device=device, identity=identity
    )
    with shown(COMPARE) as progress:
        result = compare(
            source, streams=streams, codecs=tuple(c for c in codecs.split(",") if c), rates=rates,
            scales=scales, lengths=lengths, max_frames=max_frames, preset=preset,
            options=chosen, progress=progress,
        )  # fmt: skip
    if output:
        with opened_whole(output) as file:
            file.write(compare_page(result).encode())
    if json_:
        console.json_result(result.as_json(), output)
        return
    measures = ("psnr_face", "ssim_face", "identity", "rho_au", "rho_gaze", "rho_pose")
    numbers = ["scale", "bytes", "kbps", *(f"{s:g} s" for s in lengths)]
    numbers += [MEASURES[name].title.split(":")[0] for name in measures]
    rows = [
        (p.codec, f"{p.scale:g}", p.bytes, f"{p.kbps:.1f}", *(f"{k:.1f}" for k in p.at.values()),
         *(written(name, p.values[name]) for name in measures))
        for p in result.points
    ]  # fmt: skip
    if str(output) != "-":
        console.table(["codec", *numbers], rows, right=numbers)
    for note in result.notes:
        console.say(note)
