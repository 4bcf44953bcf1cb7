"""`facecodec identity`: people in files of their own, to be paid for once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import click

from facecodec.bitstream import IdentityFile, load_identity_file
from facecodec.cli import console, options, progress


@click.group()
def command() -> None:
    """Keep a person in a .fci file that many streams refer to.

    \b
    facecodec identity enrol talk.mp4 alice.fci --tune light
    facecodec identity extract alice.fcv alice.fci
    facecodec encode talk2.mp4 talk2.fcv --identity alice.fci
    facecodec decode talk2.fcv talk2.mp4 --identity alice.fci
    """


@command.command()
@click.argument("sources", type=options.FILE, metavar="IN...", nargs=-1, required=True)
@click.argument("output", type=options.FILE, metavar="OUT.fci")
@options.model
@options.rig
@click.option(
    "--preset", type=click.Choice(["fast", "medium", "slow"]), default="medium",
    show_default=True, help="Time spent on fitting: some 0.5, 1.5 or 2.5 min on two cores.",
)  # fmt: skip
@options.device
@options.span
@click.option(
    "--id-frame", type=click.IntRange(0),
    help="Frame at --start, or picture, from 0, that shows them at rest; chosen where not given.",
)  # fmt: skip
@click.option(
    "--tune", type=click.Choice(["none", "small", "light", "full"]), default="small",
    show_default=True, help="Bytes for likeness: small 10 KB, light 70 KB, full 700 KB.",
)  # fmt: skip
@options.video_track
@options.kernel
@options.as_json_beside_output
@options.verbosity
@options.force
def enrol(
    sources: tuple[str, ...],
    output: str,
    model: str,
    rig: str | None,
    preset: str,
    device: str,
    start: Fraction | None,
    end: Fraction | None,
    max_frames: int | None,
    id_frame: int | None,
    tune: str,
    video_track: int | None,
    json_: bool,
    force: bool,
) -> None:
    """Write the person of a clip, or of some pictures, to a .fci file.

    The person is then paid for once, in time as in bytes: streams that refer to the file begin at
    once. What `encode --preset live` needs is prepared too, and kept in the user's cache.

    \b
    facecodec identity enrol talk.mp4 alice.fci --tune light
    facecodec identity enrol front.jpg left.jpg smiling.jpg alice.fci
    facecodec encode talk2.mp4 talk2.fcv --identity alice.fci --preset live
    """
    from facecodec.encoding.enrol import enrol as enrolled

    stages = progress.TUNES.get(tune, progress.ENROL)
    with progress.shown(stages) as report:
        done = enrolled(
            sources, output, model=model, rig=rig, preset=preset, device=device, start=start,
            end=end, max_frames=max_frames, video_track=video_track, id_frame=id_frame, tune=tune,
            force=force, progress=report,
        )  # fmt: skip
    took = sum(done.stages.values())
    console.say(
        f"{output}: the person of frame {done.identity_frame}, out of {done.frames}, "
        f"in {took:.1f} s"
    )
    if done.other_face or done.no_face:
        console.say(f"  {done.other_face} frames show somebody else, {done.no_face} no face")
    if json_ or not console.is_quiet():
        facts = {"identity_frame": done.identity_frame, "frames": done.frames,
                 "no_face": done.no_face, "other_face": done.other_face,
                 "stages": done.stages}  # fmt: skip
        show(output, done.person, json_, output, facts)


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


def show(
    file: str,
    person: IdentityFile,
    json_: bool,
    output: str = "",
    more: dict[str, Any] | None = None,
) -> None:
    """Print what is in a `.fci` file; on standard error where `output`, its copy, is -.

    `more` is what JSON says beside that.
    """
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
        console.json_result(facts | (more or {}), output)
    elif output == "-":
        console.say(f"{file}: SHA-256 {person.sha256.hex()}")
    else:
        rows = (facts | {"shape": f"{person.num_ws} x {person.w_dim}"}).items()
        console.facts((name.replace("_", " "), value) for name, value in rows)
