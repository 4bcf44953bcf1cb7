"""The command line as a shell runs it, in the process of the tests."""

from __future__ import annotations

from click.testing import CliRunner

from facecodec.cli.main import main


def run(*arguments: object, code: int = 0) -> str:
    """Run a command that is to end with `code`; return what it printed on standard output.

    What it raises instead is raised here.
    """
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout
