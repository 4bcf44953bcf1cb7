"""`facecodec identity`: people in files of their own, to be paid for once."""

from __future__ import annotations

from typing import Any

import click

from facecodec.bitstream import IdentityFile, load_identity_file
from facecodec.cli import console, options


@click.group()
def command() -> None:
    """Keep a person in a .fci file that many streams refer to.

    \b
    facecodec identity extract alice.fcv alice.fci
    facecodec encode talk2.mp4 talk2.fcv --identity alice.fci
    facecodec decode talk2.fcv talk2.mp4 --identity alice.fci
    """


@command.command()
@click.argument("source", type=options.FILE, metavar="IN.fcv")
@click.argument("output", type=options.FILE, metavar="OUT.fci")
@click.option("--no-tuning", is_flag=True, help="Leave the tuning of the generator out.")
@options.as_json_beside_output
@options.verbosity
@options.force
def extract(source: str, output: str, no_tuning: bool, json_: bool, force: bool) -> None:
    """Write the person of a stream to a .fci file.

    \b
    facecodec identity extract alice.fcv alice.fci
    """
    from facecodec.decoding.identity import extract_identity

    person = extract_identity(source, output, tuning=not no_tuning, force=force)
    if json_ or not console.is_quiet():
        show(output, person, json_, output)


@command.command()
@click.argument("file", type=options.FILE, metavar="FILE.fci")
@options.as_json
@options.verbosity
def info(file: str, json_: bool) -> None:
    """Show what is in a .fci file, and its SHA-256.

    Streams refer to the file by that SHA-256.

    \b
    facecodec identity info alice.fci --json
    """
    show(file, load_identity_file(file), json_)


def show(file: str, person: IdentityFile, json_: bool, output: str = "") -> None:
    """Print what is in a `.fci` file; on standard error where `output`, its copy, is -."""
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
        console.json_result(facts, output)
    elif output == "-":
        console.say(f"{file}: SHA-256 {person.sha256.hex()}")
    else:
        rows = (facts | {"shape": f"{person.num_ws} x {person.w_dim}"}).items()
        console.facts((name.replace("_", " "), value) for name, value in rows)
