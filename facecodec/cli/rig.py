"""`facecodec rig`: discover the 35 controls of a generator, and look at them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.cli import options
from facecodec.cli.progress import shown


@click.group()
def command() -> None:
    """Discover and look at the 35 controls of a generator.

    \b
    facecodec rig show sheet.png
    facecodec rig discover my.json --model my-generator
    """


@command.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.json")
@options.model
@click.option("--samples", default=960, show_default=True, help="Faces for pose and expressions.")
@click.option("--seed", default=0, show_default=True, help="Of the sampled faces.")
@click.option(
    "--motion", "clips", multiple=True, type=click.Path(path_type=Path), metavar="VIDEO",
    help="Choose channels by how this person moves; give it once for every person.",
)  # fmt: skip
@options.device
@options.quiet
@options.force
def discover(
    output: Path,
    model: str,
    samples: int,
    seed: int,
    clips: tuple[Path, ...],
    device: str,
    quiet: bool,
    force: bool,
) -> None:
    """Find 3 pose axes, 24 channels and 8 expressions, and write them as JSON.

    Without --motion, channels are chosen by index sensitivity alone; with it, by what real motion
    needs, among those that index sensitivity offers.
    """
    from facecodec.workshop.discover import discover_rig

    refuse_overwrite(output, force, clips)
    with shown(quiet) as progress:
        rig = discover_rig(model, samples, seed, clips, device, progress)
    with opened_whole(output) as file:
        file.write(rig.as_json().encode())
    if not quiet:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        for axis in rig.pose:
            console.print(f"{axis.name}: held-out correlation {axis.correlation:.2f}")
        console.print(f"{output}: {len(rig.names)} controls, SHA-256 {rig.sha256}")


@command.command()
@click.argument(
    "output", type=click.Path(path_type=Path, dir_okay=False), metavar="[OUT.png]", required=False
)
@options.model
@options.rig
@click.option("--seed", default=0, show_default=True, help="Of the face that is shown.")
@click.option("--size", type=int, default=128, show_default=True, help="Side of each face.")
@click.option("--amount", default=1.0, show_default=True, help="Scales -2, 0, +2.")
@options.as_json
@options.force
def show(
    output: Path | None,
    model: str,
    rig: str | None,
    seed: int,
    size: int,
    amount: float,
    json_: bool,
    force: bool,
) -> None:
    """List the controls; draw each at -2, 0 and +2 into OUT.png."""
    from facecodec.models import load_models
    from facecodec.rig.regions import Region
    from facecodec.rig.sheet import contact_sheet
    from facecodec.video.writer import encode_png

    if output:
        refuse_overwrite(output, force)
    generator, the_rig = load_models(model, Path(rig) if rig else None, "cpu")
    if json_:
        click.echo(json.dumps(asdict(the_rig), indent=1))
    else:
        table = Table(box=SIMPLE_HEAD)
        for heading in ("control", "region", "energy", "locality"):
            table.add_column(heading)
        for axis in the_rig.pose:
            table.add_row(axis.name, Region.POSE, f"correlation {axis.correlation:.2f}", "")
        for offset in the_rig.offsets:
            table.add_row(
                offset.name, offset.region, f"{offset.energy:.2f}", f"{offset.locality:.2f}"
            )
        for expression in the_rig.expressions:
            table.add_row(expression.name, Region.EXPRESSION, "", "")
        Console(stderr=True).print(table)
    if output:
        with shown() as progress:
            sheet = contact_sheet(
                generator, the_rig, seed, size=size, amount=amount, progress=progress
            )
        with opened_whole(output) as file:
            file.write(encode_png(sheet))
