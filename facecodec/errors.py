"""The errors a user may meet: one line each, with the exit code the command ends with."""


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


class StreamError(FacecodecError):
    """A .fcv or .fci file breaks the format."""
