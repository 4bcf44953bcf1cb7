"""The errors a user may meet: one line each, with the exit code the command ends with."""


class FacecodecError(Exception):
    """Something in the outside world failed. Its message is one line: file, what, remedy."""

    exit_code = 1


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
