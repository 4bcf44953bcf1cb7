"""`facecodec info`: what a stream is and where its bytes go."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facecodec.bitstream.container.describe import PARTS, describe, list_chunks
from facecodec.bitstream.container.files import is_identity_file, load_identity_file, open_stream
from facecodec.cli import options
from facecodec.cli.identity import show


@click.command()
@click.argument("file", type=click.Path(), metavar="FILE")
@options.as_json
@click.option("--rates", is_flag=True, help="Read every frame; show where the bytes go.")
@click.option("--chunks", is_flag=True, help="List the chunks of the file too.")
def command(file: str, json_: bool, rates: bool, chunks: bool) -> None:
    """Show what a .fcv stream (or .fci identity) is and who made it.

    The frames are not read, so a long stream takes no longer than a short one, and damage among
    them is not seen: --rates reads them, and `verify` looks at everything.

    \b
    facecodec info talk.fcv
    facecodec info talk.fcv --rates
    facecodec info talk.fcv --json --chunks
    """
    if is_identity_file(file):
        show(file, load_identity_file(file), json_)
        return
    stream = open_stream(file)
    facts = describe(stream, rates)
    if chunks:
        facts["chunks"] = list_chunks(stream)
        facts["looked_at"] = "all chunks"
        facts["damage"] = [str(damage) for damage in stream.damage]
    if json_:
        click.echo(json.dumps(facts, indent=2))
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(_summary(file, facts))
    if rates:
        console.print(_rates(facts))
    if chunks:
        console.print(_chunk_table(facts["chunks"]))
    for line in facts["damage"]:
        console.print(escape(f"damaged: {line}"))
    if not (rates or chunks):
        console.print(f"looked at: {facts['looked_at']}; the rest was not read")


def _summary(file: str, facts: dict[str, Any]) -> Table:
    audio = facts["audio"]
    sound = (
        f"{audio['codec']}, {audio['sample_rate']} Hz, {audio['channels']} ch" if audio else "no"
    )
    coding = f"quality {facts['quality']}" if facts["precision"] == "quantised" else "exact"
    identity = facts["identity"]
    if facts["identity_reference"]:
        identity += f" with SHA-256 {facts['identity_reference']}"
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rate = facts["frame_rate"] or "variable"
    for name, value in (
        ("file", file),
        ("made by", facts["creator"] or "not said"),
        ("generator", f"{facts['generator']}, SHA-256 {facts['generator_sha256'][:12]}"),
        ("rig", f"{facts['num_controls']} controls, SHA-256 {facts['rig_sha256'][:12]}"),
        ("picture", f"{facts['resolution']}x{facts['resolution']}"),
        ("source", f"{facts['width']}x{facts['height']}"),
        ("duration", f"{facts['duration']:.3f} s"),
        ("size", f"{facts['bytes']} bytes" + _per_second(facts)),
        ("frames", f"{facts['frames']} at {rate} a second, time base {facts['time_base']}"),
        ("controls", f"{facts['precision']}, {coding}"),
        ("identity", identity),
        ("audio", sound),
        *((f"meta: {name}", text) for name, text in facts["metadata"].items()),
    ):
        table.add_row(name, escape(str(value)))
    return table


def _per_second(facts: dict[str, Any]) -> str:
    return f", {facts['kbps']:.2f} kbps" if "kbps" in facts else ""


def _rates(facts: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("where the bytes go")
    for heading in ("bytes", "share", "bytes a frame", "kbps"):
        table.add_column(heading, justify="right")
    total = facts["bytes"]
    sizes = [(name, facts[f"{name}_bytes"]) for name in PARTS]
    for name, size in [*sizes, ("all", total)]:
        per_frame = f"{size / facts['frames']:.2f}" if facts["frames"] else ""
        rate = 8 * size / 1000 / facts["duration"] if facts["duration"] else None
        kbps = "" if rate is None else f"{rate:.2f}"
        table.add_row(name, str(size), f"{size / total:.1%}", per_frame, kbps)
    return table


def _chunk_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("offset", justify="right")
    table.add_column("chunk")
    table.add_column("bytes", justify="right")
    table.add_column("")
    for row in rows:
        kind = {True: "critical", False: "ancillary", None: row["note"]}[row["critical"]]
        table.add_row(str(row["offset"]), row["type"], str(row["bytes"]), escape(kind))
    return table
