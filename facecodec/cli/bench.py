"""`facecodec bench`: the synthesis kernels side by side, and decoding end to end."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from facecodec.cli import console, options
from facecodec.cli.progress import shown

if TYPE_CHECKING:
    from facecodec.workshop.bench import Row


@click.command()
@options.model
@options.device
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=7,
    show_default=True,
    help="Calls of every implementation that count.",
)
@click.option(
    "--frames",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Length of the stream that is decoded; 0 leaves that out.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads to compute on.  [default: all]")
@click.option(
    "--openvino",
    type=options.FILE,
    metavar="SynthesisNetwork.xml",
    help="Run this IR of the default generator through OpenVINO too; needs: pip install openvino.",
)
@click.option(
    "--stylegan2",
    type=click.Choice(["64", "256", "1024"]),
    help="Measure a StyleGAN2 of this size with random weights instead of an installed model.",
)
@options.as_json
@options.verbosity
def command(
    model: str,
    device: str,
    rounds: int,
    frames: int,
    threads: int | None,
    openvino: str | None,
    stylegan2: str | None,
    json_: bool,
) -> None:
    """Measure every implementation of the kernels on this machine.

    Medians of calls made in turn. "reference" is plain torch, operator by operator.

    \b
    facecodec bench
    facecodec bench --rounds 3 --frames 0 --json
    facecodec bench --stylegan2 1024 --rounds 3
    """
    import torch

    from facecodec.workshop.bench import bench
    from facecodec.workshop.machine import machine

    if threads:
        torch.set_num_threads(threads)
    with shown({"bench": 1.0}) as progress:
        size = int(stylegan2) if stylegan2 else None
        rows = bench(model, device, rounds, frames, openvino, progress, size)
    facts = machine()
    if json_:
        console.json_result({"machine": facts, "rows": [asdict(row) for row in rows]})
        return
    console.result(
        f"{facts['processor']}, {facts['threads']} threads, torch {facts['torch']}; "
        "milliseconds, and times faster than the reference"
    )
    names = list(dict.fromkeys(name for row in rows for name in row.milliseconds))
    cells = [(row.name, *(_cell(row, name) for name in names), row.note) for row in rows]
    console.table(["", *names, ""], cells, right=names)


def _cell(row: Row, name: str) -> str:
    if name not in row.milliseconds:
        return ""
    taken, ratio = row.milliseconds[name], row.speedup(name)
    shown_ = f"{taken:.1f}" if taken < 1000 else f"{taken:.0f}"
    return shown_ if ratio is None or name == "reference" else f"{shown_}  {ratio:.1f}x"
