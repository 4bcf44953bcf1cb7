"""`facecodec rig`: discover the controls of a generator, and look at them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.cli import console, options
from facecodec.cli.progress import DISCOVER, shown


@click.group()
def command() -> None:
    """Discover and look at the controls of a generator.

    \b
    facecodec rig show sheet.png
    facecodec rig discover my.json --model my-generator
    """


@command.command()
@click.argument("output", type=options.PATH, metavar="OUT.json")
@options.model
@click.option("--samples", default=960, show_default=True, help="Faces for pose and expressions.")
@click.option("--seed", default=0, show_default=True, help="Seed of the sampled faces.")
@click.option(
    "--motion", "clips", multiple=True, type=options.PATH, metavar="VIDEO",
    help="Choose channels by how this person moves; give it once for every person.",
)  # fmt: skip
@options.device
@options.verbosity
@options.force
def discover(
    output: Path,
    model: str,
    samples: int,
    seed: int,
    clips: tuple[Path, ...],
    device: str,
    force: bool,
) -> None:
    """Find the controls of a generator and write them as JSON.

    They are 3 pose axes, 24 channels and 8 expressions, each with a title that says what landmarks
    do where it rises. A pose axis that faces do not follow is an error.
    Without --motion, channels are chosen by index sensitivity alone; with it, by what real motion
    needs, among those that index sensitivity offers.

    \b
    facecodec rig discover my.json --model my-generator
    facecodec rig discover my.json --model my-generator --motion talk.mp4
    """
    from facecodec.workshop.discover import discover_rig

    refuse_overwrite(output, force, clips)
    with shown(DISCOVER) as progress:
        rig = discover_rig(model, samples, seed, clips, device, progress)
    with opened_whole(output) as file:
        file.write(rig.as_json().encode())
    for axis in rig.pose:
        console.say(f"{axis.name}: held-out correlation {axis.correlation:.2f}")
    for name, title in zip(rig.names, rig.shown_titles, strict=True):
        console.detail(f"{name}: {title}")
    console.say(f"{output}: {len(rig.names)} controls, SHA-256 {rig.sha256}")


@command.command()
@click.argument("output", type=options.PATH, metavar="[OUT.png]", required=False)
@options.model
@options.rig
@click.option("--seed", default=0, show_default=True, help="Seed of the face that is shown.")
@click.option("--size", type=int, default=128, show_default=True, help="Side of each face.")
@click.option("--amount", default=1.0, show_default=True, help="Multiplies the drawn -2, 0, +2.")
@options.as_json_beside_output
@options.verbosity
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
    """List the controls; draw each at -2, 0 and +2 into OUT.png.

    A title says what a control does where it rises; left and right are those of the picture.

    \b
    facecodec rig show
    facecodec rig show sheet.png --seed 3
    """
    from facecodec.models import load_models
    from facecodec.rig.sheet import contact_sheet
    from facecodec.video.writer import encode_png

    if output:
        refuse_overwrite(output, force, [rig])
    generator, the_rig = load_models(model, Path(rig) if rig else None, "cpu")
    if json_:
        console.json_result(asdict(the_rig), output)
    elif not console.is_quiet() and str(output) != "-":
        told = [(f"correlation {axis.correlation:.2f}", "") for axis in the_rig.pose]
        told += [(f"{offset.energy:.2f}", f"{offset.locality:.2f}") for offset in the_rig.offsets]
        told += [("", "")] * len(the_rig.expressions)
        names = zip(the_rig.shown_titles, the_rig.names, the_rig.regions, strict=True)
        rows = [(*name, *numbers) for name, numbers in zip(names, told, strict=True)]
        console.table(("title", "name", "region", "energy", "locality"), rows)
    if output:
        with shown({"drawing": 1.0}) as progress:
            sheet = contact_sheet(
                generator, the_rig, seed, size=size, amount=amount, progress=progress
            )
        with opened_whole(output) as file:
            file.write(encode_png(sheet))
