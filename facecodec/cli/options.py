"""Options that several commands share, declared once, and the types of their values."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from facecodec.cli import console
from facecodec.errors import FacecodecError, UsageError
from facecodec.seconds import seconds
from facecodec.weights.catalogue import CATALOGUE, DEFAULT_GENERATOR

Command = TypeVar("Command", bound=Callable[..., Any])

# A file or -, given as it is typed: whether it can be read or written is for the work to say.
FILE = click.Path(allow_dash=True)
PATH = click.Path(path_type=Path)


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


class BitRate(click.ParamType):  # type: ignore[type-arg]
    """A rate in bits a second: `16000`, or `16k`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the rate in bits a second."""
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)(k?)", str(value).strip(), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is no rate; write 16k or 16000 bits a second", param, ctx)
        return round(Fraction(match[1]) * (1000 if match[2] else 1))


class ContextRate(BitRate):
    """What a context may take: `off`, `still`, or a rate."""

    name = "context"

    def convert(  # type: ignore[override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        """Return the word, or the rate in bits a second."""
        if str(value) in ("off", "still"):
            return str(value)
        return super().convert(value, param, ctx)


class ModelName(click.ParamType):  # type: ignore[type-arg]
    """The name of a model; shells complete it from what is installed and can be installed."""

    name = "name"

    def __init__(self, catalogue: bool = False) -> None:
        """`catalogue`: names that can be installed; otherwise those that are."""
        self.catalogue = catalogue

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin as what is typed."""
        from facecodec.weights import store

        try:
            names = list(CATALOGUE) if self.catalogue else store.installed()
        except FacecodecError:
            names = []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return one decorator that adds several options, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


max_frames = click.option(
    "--max-frames", type=click.IntRange(1), help="Stop after this many frames."
)
times = together(
    click.option("--start", type=Seconds(), help="Begin at this time: 12.5 or 0:12.5."),
    click.option("--end", type=Seconds(), help="Stop before this time."),
)
span = together(times, max_frames)
video_track, audio_track = (
    click.option(
        f"--{kind}-track", type=click.IntRange(0), metavar="N",
        help=f"Which {kind} track to read, from 0; the file's default where not given.",
    )
    for kind in ("video", "audio")
)  # fmt: skip
tracks = together(video_track, audio_track)
model = click.option(
    "--model", type=ModelName(), default=DEFAULT_GENERATOR, show_default=True,
    help="Installed generator to use.",
)  # fmt: skip
rig = click.option("--rig", type=FILE, help="Rig file, for a generator without its own.")
identity = click.option(
    "--identity", type=FILE, metavar="FILE.fci",
    help="The person's file, where the stream refers to one and it is not beside it.",
)  # fmt: skip
face = click.option(
    "--face", metavar="largest|left|right|N|X,Y",
    help="Whom to follow where the first frame with a face shows several: N counts from the left, "
    "X,Y is a place in pixels.  [default: largest]",
)  # fmt: skip
preset = click.option(
    "--preset", type=click.Choice(["live", "fast", "medium", "slow"]),
    default="medium", show_default=True,
    help="Time spent on fitting. On two cores: the person some 0.5, 1.5 or 2.5 min, then 0.35, "
    "0.45 or 0.7 s a frame; live: a stranger 10 s, then 0.03 s a frame, and none waits for a later "
    "one.",
)  # fmt: skip
device = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
    help="Where to compute.",
)  # fmt: skip
size = click.option(
    "--size",
    type=int,
    metavar="PIXELS",
    help="Side of the face square: 1024, 512 or 256; as the generator draws it where not given.",
)
face_landmarker = click.option(
    "--face-landmarker", type=PATH, envvar="FACECODEC_FACE_LANDMARKER", metavar="FILE",
    help="MediaPipe's face_landmarker.task: expression, gaze and pose.",
)  # fmt: skip
force = click.option("-f", "--force", is_flag=True, help="Overwrite the output.")
raw = click.option(
    "--raw", metavar="SIZE:PIXELS",
    help="IN is pictures without a container: 640x480:yuv420p, or rgb24 and others, with --fps.",
)  # fmt: skip
no_audio = click.option("--no-audio", is_flag=True, help="Leave the audio out.")
audio_bitrate = click.option(
    "--audio-bitrate", type=BitRate(), metavar="RATE",
    help="Of Opus, in bits a second: 6k to 256k.  [default: 16k]",
)  # fmt: skip
as_json = click.option("--json", "json_", is_flag=True, help="Print the result as JSON.")
as_json_beside_output = click.option(
    "--json", "json_", is_flag=True,
    help="Print the result as JSON; on standard error where the output is -.",
)  # fmt: skip


def _quiet(_: click.Context, __: click.Parameter, value: bool) -> None:
    console.set_quiet(value)


def _verbose(_: click.Context, __: click.Parameter, value: bool) -> None:
    console.set_verbose(value)


verbosity = together(
    click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=_quiet,
        help="No progress and no remarks.",
    ),
    click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=_verbose,
        help="Say more, such as which kernel computes.",
    ),
)  # fmt: skip


def kernel(command: Callable[..., None]) -> Callable[..., None]:
    """Add --kernel and --arithmetic, and apply them before the command runs.

    The command raises UsageError where the kernel that is asked for cannot run.
    """

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
        if console.is_verbose():
            console.detail(_which_kernel(kwargs.get("device") or "auto"))

    return wrapped


def _which_kernel(device: str) -> str:
    import cuda_ops
    from facecodec.models import pick_device

    try:
        return f"computed by: {cuda_ops.describe(pick_device(device).type)}"
    except cuda_ops.KernelError as error:
        return f"computed by: {error}"
