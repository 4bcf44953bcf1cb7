"""Which clips a batch takes, and what their outputs are called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from facecodec.errors import UsageError

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".y4m")
STREAM_SUFFIXES = (".fcv",)


def find_inputs(
    paths: Sequence[str | Path], pattern: str | None, suffixes: Sequence[str]
) -> list[tuple[Path, Path]]:
    """Return the clips of a batch, each with its path below the folder it was found in.

    paths: files, which are taken as they are, and folders, which are searched with all that lies
    below them: for `pattern` ('**/*.mp4', as `Path.glob` has it) or else for names that end in one
    of `suffixes`. Sorted by name, each file once. Hidden files and folders are left out.
    Raises UsageError for a path that is not there and for a folder without such files.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = [name for name in _search(path, pattern, suffixes) if not _hidden(name)]
            if not inside:
                wanted = pattern or ", ".join(f"*{suffix}" for suffix in suffixes)
                raise UsageError(f"{path}: no file in this folder is called {wanted}")
            for name in inside:
                found.setdefault(path / name, name)
        elif path.exists():
            found.setdefault(path, Path(path.name))
        else:
            raise UsageError(f"{path} does not exist")
    return sorted(found.items())


def output_names(inputs: Sequence[tuple[Path, Path]], folder: Path, suffix: str) -> list[Path]:
    """Return the output of each input: its name below `folder`, with another suffix.

    Raises UsageError where two would have the same.
    """
    taken: dict[Path, Path] = {}
    for path, name in inputs:
        output = folder / name.with_suffix(suffix)
        if output in taken:
            raise UsageError(
                f"{taken[output]} and {path} would both be written to {output}; "
                "give the folder above them, or two batches"
            )
        taken[output] = path
    return list(taken)


def _search(folder: Path, pattern: str | None, suffixes: Sequence[str]) -> list[Path]:
    if pattern is None:
        names = [
            Path(parent, name).relative_to(folder)
            for parent, _, files in os.walk(folder)
            for name in files
        ]
        return sorted(name for name in names if name.suffix.lower() in suffixes)
    try:
        paths = sorted(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise UsageError(f"{pattern!r} is no pattern of files: {error}") from error
    return [path.relative_to(folder) for path in paths if path.is_file()]


def _hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)
