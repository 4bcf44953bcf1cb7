"""`facecodec verify`: is a file whole, and if not, what is lost."""

from __future__ import annotations

import json

import click

from facecodec.bitstream.container.chunks import Damage
from facecodec.bitstream.container.files import is_identity_file, load_identity_file, open_stream
from facecodec.bitstream.container.verify import verify, verify_identity
from facecodec.cli import options
from facecodec.errors import StreamError


@click.command()
@click.argument("file", type=click.Path(), metavar="FILE")
@options.as_json
def command(file: str, json_: bool) -> None:
    """Walk through a .fcv stream or .fci identity, all of it, and list the damage.

    Ends with 0 when the file is whole, 1 when it is not.

    \b
    facecodec verify talk.fcv && echo sound
    """
    frames: int | None = None
    refused: str | None = None
    damage: list[Damage] = []
    try:
        if is_identity_file(file):
            damage = verify_identity(load_identity_file(file))
        else:
            frames, damage = verify(open_stream(file))
    except StreamError as error:
        refused = str(error)
    whole = refused is None and not damage
    if json_:
        rows = [
            {"offset": item.offset, "bytes": item.size, "reason": item.reason} for item in damage
        ]
        facts = {"file": file, "whole": whole, "refused": refused, "frames": frames}
        click.echo(json.dumps(facts | {"damage": rows}, indent=2))
    elif refused is not None:
        click.echo(f"refused: {refused}")
    else:
        count = "" if frames is None else f", {frames} frames decoded"
        click.echo(f"{file}: {'whole' if whole else 'damaged'}{count}")
        for item in damage:
            click.echo(f"  {item}")
    if not whole:
        raise SystemExit(1)
