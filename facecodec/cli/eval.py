"""`facecodec eval`: the paper's tables for anyone's videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facecodec.cli import console, options
from facecodec.cli.piped import rereadable
from facecodec.cli.progress import EVALUATE, shown

if TYPE_CHECKING:
    from facecodec.metrics.detail import Detail


@click.command()
@click.argument("paths", nargs=-1, type=options.PATH, metavar="REF DIST")
@click.option("--aligned", is_flag=True, help="Both already are aligned face squares.")
@click.option(
    "--layout", type=click.Choice(["auto", "frame", "square"]), default="auto",
    show_default=True, help="DIST shows whole frames, or face squares as `decode` writes them.",
)  # fmt: skip
@click.option(
    "--puppet", is_flag=True, help="Compare a puppet: takes SOURCE DRIVER RESULT instead."
)
@options.face_landmarker
@options.max_frames
@click.option(
    "--identity-every", type=click.IntRange(1), default=10, show_default=True,
    help="Read the identity in every n-th frame.",
)  # fmt: skip
@options.identity
@options.rig
@options.device
@options.kernel
@options.as_json
@options.verbosity
def command(
    paths: tuple[Path, ...],
    aligned: bool,
    layout: str,
    puppet: bool,
    face_landmarker: Path | None,
    max_frames: int | None,
    identity_every: int,
    identity: str | None,
    rig: str | None,
    device: str,
    json_: bool,
) -> None:
    """Measure a decoded video against its reference.

    REF is aligned, and DIST is compared in the same squares, at 256x256, and its detail at the
    largest size that REF's squares fill (256, 512 or 1024). DIST is a video of the same frames or a
    .fcv, which is rendered. What needs a model that is not here is n/a. One of them may be - for
    standard input.

    \b
    facecodec eval talk.mp4 talk.fcv
    facecodec eval talk.mp4 x265.mp4 --face-landmarker face_landmarker.task --json
    facecodec encode talk.mp4 - | facecodec eval talk.mp4 -
    facecodec eval --puppet who.mp4 motion.mp4 puppet.mp4
    """
    from facecodec.metrics.landmarker import HOW_FILE
    from facecodec.metrics.measures import MEASURES, written
    from facecodec.study.evaluate import Options, evaluate_files, evaluate_puppet_files

    wanted = 3 if puppet else 2
    if len(paths) != wanted:
        names = "SOURCE DRIVER RESULT" if puppet else "REF DIST"
        raise click.UsageError(f"takes {wanted} files, {names}; there are {len(paths)}")
    chosen = Options(face_landmarker, identity_every, Path(rig) if rig else None, device, identity)
    with rereadable(*paths) as files, shown(EVALUATE) as progress:
        first, second, *third = (file for file in files if file is not None)
        if puppet:
            result = evaluate_puppet_files(
                first, second, *third, max_frames=max_frames, options=chosen, progress=progress
            )
        else:
            result = evaluate_files(
                first, second, aligned=aligned, layout=layout, max_frames=max_frames,
                options=chosen, progress=progress,
            )  # fmt: skip
    if json_:
        facts = {"files": [str(path) for path in paths], "puppet": puppet} | result.as_json()
        console.json_result(facts)
        return
    rows = []
    lacking: dict[str, list[str]] = {}  # reason -> titles of the measures it concerns
    for name, value in result.values.items():
        measure = MEASURES[name]
        if value is None:
            rows.append((measure.title, "n/a", "", ""))
            why = result.missing.get(name, "")
            why += "; see --face-landmarker" if HOW_FILE in why else ""
            lacking.setdefault(why, []).append(measure.title)
        else:
            moves = result.moves.get(name)
            moved = "" if moves is None else f"{moves:.3f}"
            rows.append((measure.title, written(name, value), measure.better, moved))
    console.table(("measure", "value", "better", "moves"), rows, right=("value", "moves"))
    for reason, titles in lacking.items():
        console.result(f"n/a: {'; '.join(titles)} ({reason})")
    if any(moves is not None for moves in result.moves.values()):
        console.result("moves: the standard deviation of the reference's signal")
    if result.detail:
        console.result(_detail_words(result.detail))
    worst = f"; worst: {', '.join(map(str, result.worst[:5]))}" if result.worst else ""
    console.result(f"{result.frames} frames{worst}")


def _detail_words(detail: Detail) -> str:
    """Return at which size detail was compared, and the wave that a weave would be."""
    from facecodec.metrics.detail import FULL_PIXELS

    words = f"detail compared at {detail.size} pixels"
    if detail.weave is None:
        return words
    weave = detail.weave
    where = "inner face" if weave.region == "face" else "rest"
    return (
        f"{words}; most excess: {weave.strength:.2f} of 255 at a period of {weave.period:.1f} of "
        f"{FULL_PIXELS} pixels, {weave.angle:.0f} degrees, in the {where}"
    )
