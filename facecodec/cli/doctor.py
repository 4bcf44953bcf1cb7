"""`facecodec doctor`: what this machine has, what it lacks, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facecodec.cli import options


@click.command()
@options.as_json
def command(json_: bool) -> None:
    """Check everything the other commands need: compiler, kernels, models, cache.

    Builds the kernels where they are not built yet. Ends with 1 when encoding or decoding cannot
    work; what is only slower is a note.
    """
    from facecodec.workshop.doctor import examine

    findings = examine()
    if json_:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        table = Table(box=SIMPLE_HEAD)
        for heading in ("", "", "what there is"):
            table.add_column(heading, no_wrap=heading == "")
        marks = {"good": "[green]ok[/]", "note": "[yellow]note[/]", "bad": "[red]bad[/]"}
        for finding in findings:
            table.add_row(marks[finding.state], finding.topic, escape(finding.text))
        console.print(table)
    if any(finding.state == "bad" for finding in findings):
        raise SystemExit(1)
