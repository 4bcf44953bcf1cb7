"""Options several commands share, and the types of their values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import click

from facecodec.errors import UsageError
from facecodec.seconds import seconds
from facecodec.weights.catalogue import DEFAULT_GENERATOR


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    """A time: seconds (`12.5`) or `[H:]M:S`, exact."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """Return the time in seconds."""
        try:
            return seconds(value) or Fraction(0)
        except UsageError as error:
            self.fail(str(error), param, ctx)


def span(command: Callable[..., None]) -> Callable[..., None]:
    """Add --start, --end and --max-frames."""
    for option in (
        click.option("--max-frames", type=click.IntRange(1), help="Stop after so many frames."),
        click.option("--end", type=Seconds(), help="Stop before this time."),
        click.option("--start", type=Seconds(), help="Begin at this time: 12.5 or 0:12.5."),
    ):
        command = option(command)
    return command


def tracks(command: Callable[..., None]) -> Callable[..., None]:
    """Add --video-track and --audio-track."""
    for kind in ("audio", "video"):
        command = click.option(
            f"--{kind}-track", type=click.IntRange(0), metavar="N",
            help=f"Which {kind} track to read, from 0; the file's default where not given.",
        )(command)  # fmt: skip
    return command


model = click.option(
    "--model", default=DEFAULT_GENERATOR, show_default=True, help="Installed generator to use."
)
rig = click.option(
    "--rig", type=click.Path(dir_okay=False), help="Rig file, for a generator without its own."
)
preset = click.option(
    "--preset", type=click.Choice(["fast", "medium", "slow"]), default="medium",
    show_default=True, help="Time spent on fitting.",
)  # fmt: skip
device = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
    help="Where to compute.",
)  # fmt: skip
force = click.option("-f", "--force", is_flag=True, help="Overwrite the output.")
no_audio = click.option("--no-audio", is_flag=True, help="Leave the audio out.")
as_json = click.option("--json", "json_", is_flag=True, help="Print the summary as JSON.")
quiet = click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")


def kernel(command: Callable[..., None]) -> Callable[..., None]:
    """Add --kernel and --arithmetic, and apply them before the command runs."""

    @click.option(
        "--kernel", type=click.Choice(["auto", "reference", "cpu", "cuda"]), default=None,
        help="Implementation of the synthesis operators.  [default: auto]",
    )  # fmt: skip
    @click.option(
        "--arithmetic", type=click.Choice(["auto", "fp32", "bf16"]), default=None,
        help="Products of rendered frames; auto takes bf16 where the processor has it.  "
        "[default: auto]",
    )  # fmt: skip
    @functools.wraps(command)
    def wrapped(*args: Any, kernel: str | None, arithmetic: str | None, **kwargs: Any) -> None:
        if kernel is not None or arithmetic is not None:
            import cuda_ops

            try:
                cuda_ops.use(kernel)
                cuda_ops.use_arithmetic(arithmetic)
            except cuda_ops.KernelError as error:
                raise UsageError(str(error)) from error
        command(*args, **kwargs)

    return wrapped
