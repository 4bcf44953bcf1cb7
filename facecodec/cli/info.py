"""`facecodec info`: what a stream is and where its bytes go."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from facecodec.bitstream.container.describe import (
    PARTS,
    describe,
    list_chunks,
    list_flagged,
)
from facecodec.bitstream.container.files import is_identity_file, load_identity_file, open_seekable
from facecodec.cli import console, options
from facecodec.cli.identity import show


@click.command()
@click.argument("file", type=options.FILE, metavar="FILE")
@options.as_json
@options.verbosity
@click.option("--rates", is_flag=True, help="Read every frame; show where the bytes go.")
@click.option("--flags", is_flag=True, help="Read every frame; list those that are flagged.")
@click.option("--controls", is_flag=True, help="Read every frame; list what the controls do.")
@click.option("--chunks", is_flag=True, help="List the chunks of the file too.")
@options.rig
def command(
    file: str,
    json_: bool,
    rates: bool,
    flags: bool,
    controls: bool,
    chunks: bool,
    rig: str | None,
) -> None:
    """Show what a .fcv stream (or .fci identity) is and who made it.

    The frames are not read, so a long stream takes no longer than a short one, and damage among
    them is not seen: --rates, --flags and --controls read them, and `verify` looks at everything.

    \b
    facecodec info talk.fcv
    ssh there cat talk.fcv | facecodec info -
    facecodec info talk.fcv --rates --flags
    facecodec info talk.fcv --json --chunks
    """
    if is_identity_file(file):
        show(file, load_identity_file(file), json_)
        return
    stream = open_seekable(file)
    facts = describe(stream, rates)
    if chunks:
        facts["chunks"] = list_chunks(stream)
        facts["coverage"] = "all chunks"
        facts["damage"] = [str(damage) for damage in stream.damage]
    if flags:
        facts["flagged"] = [asdict(frames) for frames in list_flagged(stream)]
        facts["coverage"] = "all chunks" if rates or chunks else "header, preamble and all frames"
        facts["damage"] = [str(damage) for damage in stream.damage]
    if controls:
        from facecodec.editing.edit import list_controls

        facts["controls"] = [asdict(row) for row in list_controls(stream, rig)]
        facts["coverage"] = "all chunks" if rates or chunks else "header, preamble and all frames"
        facts["damage"] = [str(damage) for damage in stream.damage]
    if json_:
        console.json_result(facts)
        return
    console.facts(_summary(file, facts))
    if rates:
        _show_rates(facts)
    if chunks:
        _show_chunks(facts["chunks"])
    if flags:
        _show_flagged(facts["flagged"])
    if controls:
        _show_controls(facts["controls"])
    for line in facts["damage"]:
        console.result(f"damaged: {line}")
    if not (rates or flags or controls or chunks):
        console.result(f"read: {facts['coverage']}; the rest was not read")


def _summary(file: str, facts: dict[str, Any]) -> list[tuple[str, object]]:
    audio = facts["audio"]
    sound = (
        f"{audio['codec']}, {audio['sample_rate']} Hz, {audio['channels']} ch" if audio else "no"
    )
    coding = f"quality {facts['quality']}" if facts["precision"] == "quantised" else "exact"
    identity = facts["identity"]
    if facts["identity_reference"]:
        identity += f" with SHA-256 {facts['identity_reference']}"
    rate = facts["frame_rate"] or "variable"
    return [
        ("file", file),
        *_format(facts),
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
        *_around(facts["context"]),
        *((f"meta: {name}", text) for name, text in facts["metadata"].items()),
    ]


def _around(context: dict[str, Any] | None) -> list[tuple[str, object]]:
    """Return what the context is; nothing for a stream without one."""
    if context is None:
        return []
    return [("context", f"{context['codec']}, {context['width']}x{context['height']}")]


def _format(facts: dict[str, Any]) -> list[tuple[str, object]]:
    """Return what sets a stream apart that was sent live; nothing for a file."""
    if "stream_id" not in facts:
        return []
    keys = f", a key every {facts['key_frames']} frames at most" if facts["key_frames"] else ""
    return [("format", f"version {facts['version']}, sent live{keys}")]


def _per_second(facts: dict[str, Any]) -> str:
    return f", {facts['kbps']:.2f} kbps" if "kbps" in facts else ""


def _show_rates(facts: dict[str, Any]) -> None:
    total = facts["bytes"]
    sizes = [(name, facts[f"{name}_bytes"]) for name in PARTS]
    rows = []
    for name, size in [*sizes, ("all", total)]:
        per_frame = f"{size / facts['frames']:.2f}" if facts["frames"] else ""
        rate = 8 * size / 1000 / facts["duration"] if facts["duration"] else None
        kbps = "" if rate is None else f"{rate:.2f}"
        rows.append((name, size, f"{size / total:.1%}", per_frame, kbps))
    numbers = ("bytes", "share", "bytes a frame", "kbps")
    console.table(("where the bytes go", *numbers), rows, right=numbers)


def _show_chunks(chunks: list[dict[str, Any]]) -> None:
    kinds = {True: "critical", False: "ancillary"}
    rows = [
        (row["offset"], row["type"], row["bytes"], kinds.get(row["critical"], row["note"]))
        for row in chunks
    ]
    console.table(("offset", "chunk", "bytes", ""), rows, right=("offset", "bytes"))


def _show_controls(controls: list[dict[str, Any]]) -> None:
    numbers = ("mean", "deviation", "lowest", "highest")
    rows = [
        (row["title"], row["name"], row["region"], *(f"{row[name]:.2f}" for name in numbers))
        for row in controls
    ]
    console.table(("title", "name", "region", *numbers), rows, right=numbers)


def _show_flagged(flagged: list[dict[str, Any]]) -> None:
    if not flagged:
        console.result("no frame is flagged")
        return
    rows = [
        (row["first"], row["last"], f"{row['start']:.3f} s", f"{row['end']:.3f} s", row["flag"])
        for row in flagged
    ]
    numbers = ("frame", "to", "from time", "to time")
    console.table((*numbers, "flagged"), rows, right=numbers)
