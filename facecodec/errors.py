"""The errors a user may meet: one line each, with the exit code the command ends with."""

from __future__ import annotations

from collections.abc import Sequence


class FacecodecError(Exception):
    """Something in the outside world failed. Its message is one line: file, what, remedy.

    argument: the parameter of the call that decides it, where one does: the command line adds what
    its option is called.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class UsageError(FacecodecError):
    """The command or call itself was wrong: a missing file, a bad option, an output in the way."""

    exit_code = 2


class ExistsError(UsageError):
    """An output exists already, and nobody said that it may be overwritten."""


class NoFaceError(FacecodecError):
    """No frame of the input shows a face."""


class ModelError(FacecodecError):
    """A model is missing, damaged, or not the one a stream names."""


class MissingModelError(ModelError):
    """Models that can be installed are not.

    names: of all that are missing, in the catalogue.
    """

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


class StreamError(FacecodecError):
    """A .fcv or .fci file breaks the format."""
