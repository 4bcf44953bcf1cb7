"""`facecodec edit`: a stream again with its motion changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from facecodec.cli import console, options

if TYPE_CHECKING:
    from facecodec.editing.edits import Edit

ORDER = "facecodec.edit.order"  # where the context keeps the options in the order they were given


class InOrder(click.Command):
    """A command that remembers the order in which its options were given, repeats included."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line, and note the order."""
        if args:
            ctx.meta[ORDER] = self.make_parser(ctx).parse_args(list(args))[2]
        return super().parse_args(ctx, args)


class Assignment(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    """NAME=VALUE, where the last `=` counts: a name and a number."""

    name = "assignment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Return the name and the number."""
        which, equals, number = str(value).rpartition("=")
        try:
            if not (equals and which.strip()):
                raise ValueError
            return which.strip(), float(number)
        except ValueError:
            self.fail(f"{value!r} is not NAME=NUMBER", param, ctx)


def _edits() -> dict[str, Callable[[Any], Edit]]:
    """Return what makes an edit of the value of each option."""
    from facecodec.editing import edits

    return {
        "set_": lambda given: edits.Set(*given),
        "gain": lambda given: edits.Gain(*given),
        "smooth": edits.Smooth,
        "stabilise": edits.Stabilise,
        "neutral": lambda _: edits.Neutral(),
        "look_at_camera": lambda _: edits.LookAtCamera(),
        "from_": edits.Replace,
    }


@click.command(cls=InOrder)
@click.argument("source", type=options.FILE, metavar="IN.fcv")
@click.argument("output", type=options.FILE, metavar="OUT.fcv")
@click.option(
    "--set", "set_", multiple=True, type=Assignment(), metavar="NAME=VALUE",
    help="Give a control one value in every frame, in standard deviations.",
)  # fmt: skip
@click.option(
    "--gain", multiple=True, type=Assignment(), metavar="NAME=X",
    help="Multiply a control, or all of a region: mouth=1.3.",
)  # fmt: skip
@click.option(
    "--smooth", multiple=True, type=float, is_flag=False, flag_value=0.1, metavar="[SECONDS]",
    help="Smooth all motion over time; 0.1 s where none is given.",
)  # fmt: skip
@click.option(
    "--stabilise", multiple=True, type=float, is_flag=False, flag_value=1.0, metavar="[SECONDS]",
    help="Steady the head, but for slow turns; 1 s where none is given.",
)  # fmt: skip
@click.option("--neutral", is_flag=True, help="Rest the face; the head still moves.")
@click.option("--look-at-camera", is_flag=True, help="Hold the gaze.")
@click.option(
    "--from", "from_", multiple=True, type=options.FILE, metavar="TABLE",
    help="Take controls from a .csv, .json or .npz as export writes it, or blendshapes.",
)  # fmt: skip
@options.rig
@options.as_json_beside_output
@options.verbosity
@options.force
@click.pass_context
def command(
    ctx: click.Context,
    /,
    source: str,
    output: str,
    rig: str | None,
    json_: bool,
    force: bool,
    **given: Any,
) -> None:
    """Change the motion of a .fcv stream, without encoding it again.

    NAME is a control's title or name (facecodec rig show lists them), a region (mouth, jaw, eyes,
    gaze, brows, pose, expression) or all. Controls are standard deviations over the generator's
    faces, and 0 is the person at rest. What is given is done in that order, and the stream says in
    its metadata that it was done. A number after --smooth or --stabilise is written with =.

    \b
    facecodec edit talk.fcv out.fcv --gain mouth=1.3 --gain pose=0.5
    facecodec edit talk.fcv out.fcv --set "lips part=1" --smooth=0.2
    facecodec edit talk.fcv out.fcv --from talk.csv
    """
    from facecodec.editing.edit import edit

    makers = _edits()
    left = {name: list(values) for name, values in given.items() if isinstance(values, tuple)}
    names = [parameter.name or "" for parameter in ctx.meta.get(ORDER, ())]
    asked = [name for name in names if name in makers]
    edits = [makers[name](left[name].pop(0) if name in left else None) for name in asked]
    done = edit(source, output, edits, rig=rig, force=force)
    if json_:
        facts = asdict(done) | {"damage": [str(damage) for damage in done.damage]}
        console.json_result(facts, output)
    console.say(f"{output}: {done.frames} frames, {done.bytes} bytes; {', '.join(done.edits)}")
    console.say_damage(done.damage)
