"""The `facecodec` command: finds the subcommand, imports only that, turns errors into one line."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from facecodec.cli.completion import VARIABLE
from facecodec.cli.console import printable
from facecodec.cli.fetch import models_installed
from facecodec.errors import ExistsError, FacecodecError, MissingModelError
from facecodec.process import set_process_defaults
from facecodec.version import __version__

set_process_defaults()  # before a command imports torch

# One module of this package each, imported on use, so that --help is instant.
COMMANDS = (
    "encode",
    "decode",
    "puppet",
    "batch",
    "live",
    "info",
    "verify",
    "cut",
    "export",
    "edit",
    "context",
    "identity",
    "model",
    "rig",
    "eval",
    "compare",
    "report",
    "view",
    "web",
    "bench",
    "doctor",
    "completion",
)

# Arguments of the library whose options are called otherwise.
OPTIONS = {"source": "from"}


class LazyGroup(click.Group):
    """A click group whose subcommands live in one module each (`facecodec.cli.<name>.command`)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in pipeline order, not alphabetically."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command, or return None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"facecodec.cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="facecodec")
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
@click.option("--yes", is_flag=True, help="Fetch models that are missing without asking.")
def main(debug: bool, yes: bool) -> None:
    """Talking-head video at a few kilobits a second.

    \b
    facecodec encode in.mp4 out.fcv        one identity latent + 35 numbers a frame
    facecodec decode out.fcv back.mp4      1024x1024 frames
    facecodec puppet --source WHO --driver MOTION out.mp4
    """


class Terminated(KeyboardInterrupt):
    """The system or the user asked the process to end, by a signal other than Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _on_signal(number: int, _: FrameType | None) -> None:
    raise Terminated(number)


def _end_as_by_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP end the work as Ctrl-C does, so that nothing half-written is left."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, _on_signal)


def run(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    The code is 0 when done, 1 after a failure, 2 after misuse, 130 after Ctrl-C, and 128 and its
    number after another signal.
    """
    _end_as_by_ctrl_c()
    arguments, debug = _without("--debug", list(sys.argv[1:] if argv is None else argv))
    arguments, yes = _without("--yes", arguments)
    try:
        try:
            sys.exit(_called(arguments))
        except MissingModelError as error:
            if not models_installed(error, yes):
                raise
        sys.exit(_called(arguments))
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.Abort as abort:  # click's name for an interrupt
        _interrupted(abort.__cause__ or abort)
    except KeyboardInterrupt as stop:
        _interrupted(stop)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _say(*_misuse(error, arguments), error=error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except ModuleNotFoundError as error:
        if debug or (error.name or "").partition(".")[0] in ("facecodec", "cuda_ops"):
            raise
        needs = f"this command needs {error.name}, which is not installed"
        _say(f"{needs}; run: pip install facecodec", error=error)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        code = error.exit_code if isinstance(error, FacecodecError) else 1
        name = "" if isinstance(error, FacecodecError) else f"{type(error).__name__}: "
        _say(f"{name}{error}", *_options(error), error=error)
        sys.exit(code)


def _called(arguments: list[str]) -> int:
    """Run the command of these arguments, and return its exit code."""
    code = main.main(
        args=arguments, prog_name="facecodec", standalone_mode=False, complete_var=VARIABLE
    )
    return code or 0


def _options(error: Exception) -> list[str]:
    """Return which option of the command decides what a library error is about."""
    if isinstance(error, ExistsError):
        return ["-f overwrites it"]
    argument = error.argument if isinstance(error, FacecodecError) else None
    return [f"see --{OPTIONS.get(argument, argument.replace('_', '-'))}"] if argument else []


def _without(option: str, arguments: list[str]) -> tuple[list[str], bool]:
    """Take an option that all commands have out, wherever it stands among the others."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != option]
    return [*kept, *arguments[end:]], len(kept) < end


def _misuse(error: click.ClickException, arguments: Sequence[str]) -> list[str]:
    """Return what is wrong with a command line, and what to do."""
    words = [error.format_message().rstrip(".")]
    if isinstance(error, click.NoSuchOption):
        meant = next((given for given in arguments if _is_file(given, error.option_name)), None)
        if meant is not None:
            words.append(f"a file of that name is written ./{meant}")
    context = getattr(error, "ctx", None)
    if context is not None:
        words.append(f"see {context.command_path} --help")
    return words


def _is_file(argument: str, option: str) -> bool:
    """Return whether an argument that was read as `option` is the name of a file, or to be one."""
    read_so = argument.startswith(option)
    if not option.startswith("--"):  # letters after one dash are options of their own: -final.fcv
        read_so = argument[:1] == "-" != argument[1:2] and option[1:] in argument
    return read_so and ("." in argument or os.path.lexists(argument))


def _interrupted(error: BaseException) -> NoReturn:
    _say("interrupted", error=error)
    sys.exit(128 + (error.number if isinstance(error, Terminated) else signal.SIGINT))


def _say(*parts: str, error: BaseException) -> None:
    """Print one line: what is wrong, and what was noted of it, such as a file that is kept."""
    line = "; ".join([*parts, *getattr(error, "__notes__", ())])
    click.echo(f"facecodec: {printable(' '.join(line.split()))}", err=True)
