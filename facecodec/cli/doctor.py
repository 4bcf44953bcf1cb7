"""`facecodec doctor`: what this machine has, what it lacks, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

import click

from facecodec.cli import console, options


@click.command()
@click.option("--clean", is_flag=True, help="Remove compiled kernels of other versions instead.")
@options.as_json
@options.verbosity
def command(clean: bool, json_: bool) -> None:
    """Check everything that the other commands need.

    That is compiler, kernels, models and cache.
    Builds the kernels where they are not built yet. Ends with 1 when encoding or decoding cannot
    work; what is only slower is a note.

    \b
    facecodec doctor
    facecodec doctor --json
    facecodec doctor --clean
    """
    from facecodec.workshop import doctor

    if clean:
        removed, size = doctor.clean()
        if json_:
            console.json_result({"removed": removed, "bytes": size})
        else:
            console.result(f"removed {removed} builds of kernels, {size / 1e6:.1f} MB")
        return
    findings = doctor.examine()
    if json_:
        console.json_result([asdict(finding) for finding in findings])
    else:
        marks = {"good": "ok", "note": "note", "bad": "BAD"}
        rows = [(marks[finding.state], finding.topic, finding.text) for finding in findings]
        console.table(("", "", "what there is"), rows)
    if any(finding.state == "bad" for finding in findings):
        raise SystemExit(1)
