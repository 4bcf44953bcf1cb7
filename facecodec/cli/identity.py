"""`facecodec identity`: people in files of their own, to be paid for once."""

from __future__ import annotations

import json
from typing import Any

import click

from facecodec.bitstream import IdentityFile, load_identity_file
from facecodec.cli import options


@click.group()
def command() -> None:
    """Keep a person in a .fci file that many streams refer to.

    \b
    facecodec identity extract alice.fcv alice.fci
    facecodec encode talk2.mp4 talk2.fcv --identity alice.fci
    facecodec decode talk2.fcv talk2.mp4 --identity alice.fci
    """


@command.command()
@click.argument("source", type=click.Path(), metavar="IN.fcv")
@click.argument("output", type=click.Path(), metavar="OUT.fci")
@click.option("--no-tuning", is_flag=True, help="Leave the tuning of the generator out.")
@options.as_json
@options.force
def extract(source: str, output: str, no_tuning: bool, json_: bool, force: bool) -> None:
    """Write the person of a stream to a .fci file."""
    from facecodec.decoding.identity import extract_identity

    person = extract_identity(source, output, tuning=not no_tuning, force=force)
    show(output, person, json_)


@command.command()
@click.argument("file", type=click.Path(), metavar="FILE.fci")
@options.as_json
def info(file: str, json_: bool) -> None:
    """Show what is in a .fci file, and the SHA-256 that streams refer to it by."""
    show(file, load_identity_file(file), json_)


def show(file: str, person: IdentityFile, json_: bool) -> None:
    """Print what is in a `.fci` file."""
    facts: dict[str, Any] = {
        "file": file,
        "sha256": person.sha256.hex(),
        "generator": person.generator_name,
        "generator_sha256": person.generator_sha256.hex(),
        "shape": [person.num_ws, person.w_dim],
        "identity_bytes": len(person.payload),
        "tuning_bytes": len(person.tuning or b""),
        "creator": person.creator,
    }
    if json_:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        text = f"{value[0]} x {value[1]}" if name == "shape" else str(value)
        click.echo(f"{name.replace('_', ' '):{width}}  {text}")
