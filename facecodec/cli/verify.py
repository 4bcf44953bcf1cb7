"""`facecodec verify`: is a file whole, and if not, what is lost."""

from __future__ import annotations

import click

from facecodec.bitstream.container.chunks import Damage
from facecodec.bitstream.container.files import is_identity_file, load_identity_file, open_stream
from facecodec.bitstream.container.verify import verify, verify_identity
from facecodec.cli import console, options
from facecodec.errors import StreamError


@click.command()
@click.argument("file", type=options.FILE, metavar="FILE")
@options.as_json
@options.verbosity
def command(file: str, json_: bool) -> None:
    """Look through a whole .fcv or .fci file and list the damage.

    FILE may be -, standard input. Ends with 0 when it is whole, 1 when it is not; -q says nothing
    else.

    \b
    facecodec verify talk.fcv
    facecodec verify -q talk.fcv && echo sound
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
        console.json_result(facts | {"damage": rows})
    elif not console.is_quiet():
        _show(file, refused, frames, damage)
    if not whole:
        raise SystemExit(1)


def _show(file: str, refused: str | None, frames: int | None, damage: list[Damage]) -> None:
    if refused is not None:
        console.result(f"refused: {refused}")
        return
    count = "" if frames is None else f", {frames} frames decoded"
    console.result(f"{file}: {'damaged' if damage else 'whole'}{count}")
    for item in damage:
        console.result(f"  {item}")
