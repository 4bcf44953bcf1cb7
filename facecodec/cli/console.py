"""What the commands print, and where: results on standard output, all else on standard error.

Text out of files goes through `printable`, so that a stream can neither move the cursor nor forge
a line; nothing is ever read as markup. `-q` leaves results and errors alone, `-v` says more.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click

_JOINERS = "\u200c\u200d"  # harmless, and needed to spell Persian, Hindi and others
_CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode categories: controls, formats, separators
MIN_FOLDED = 16  # columns that a folded column has at least, while others are whole
GAP_COLUMNS = 3  # columns between two of a table
MOVING_SHARE = 0.05  # of the picture beside the face, from which on it does not stand still
FILE_TABLE_COLUMNS = 500  # columns of a table that goes to a file or a pipe, where it is not folded


@dataclass
class _Level:
    quiet: bool = False
    verbose: bool = False


_level = _Level()


def set_quiet(quiet: bool) -> None:
    """Leave out progress and remarks from now on, or not."""
    _level.quiet = quiet


def set_verbose(verbose: bool) -> None:
    """Say details from now on, or not."""
    _level.verbose = verbose


def is_quiet() -> bool:
    """Return whether progress and remarks are left out."""
    return _level.quiet


def is_verbose() -> bool:
    """Return whether details are said."""
    return _level.verbose and not _level.quiet


def printable(text: object) -> str:
    """Return text as one line that is harmless to a terminal.

    Control characters (ESC, C0, C1, line breaks) and those that change the direction of text or
    cannot be seen are shown as escapes such as \\x1b and \\u202e.
    """
    return "".join(_escaped(char) for char in str(text))


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _CONTROLS or char in _JOINERS:
        return char
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def result(line: object) -> None:
    """Print a line of the result."""
    click.echo(printable(line))


def json_result(facts: Any, output: object = None) -> None:
    """Print the result as JSON; on standard error where `output` is - and takes standard output."""
    click.echo(json.dumps(facts, indent=2), err=str(output) == "-")


def say(line: object) -> None:
    """Remark on something, on standard error."""
    if not _level.quiet:
        click.echo(printable(line), err=True)


def say_damage(damage: Iterable[object]) -> None:
    """Remark on the damage that was met in a stream."""
    for met in damage:
        say(f"damaged stream, {met}; frames in it were interpolated")


def detail(line: object) -> None:
    """Remark on something that only -v asks for."""
    if is_verbose():
        click.echo(printable(line), err=True)


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()
) -> None:
    """Print a table as a result; the columns named in `right` are flush right.

    On a terminal, what is too wide is folded, never cut.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    cells = [[printable(cell) for cell in row] for row in rows]
    longest = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    least = _least_widths(headings, longest, cells)
    made = Table(box=SIMPLE_HEAD, show_header=any(headings), pad_edge=False)
    for heading, width in zip(headings, least, strict=True):
        justify: Any = "right" if heading in right else "left"
        made.add_column(Text(heading), justify=justify, overflow="fold", min_width=width)
    for row in cells:
        made.add_row(*map(Text, row))
    _print(made)


def _least_widths(
    headings: Sequence[str], longest: Sequence[int], cells: Sequence[Sequence[str]]
) -> list[int | None]:
    """Return how wide each column has to be: the widest one is folded alone where that will do.

    Where it will not, all are folded between words; where even that is too wide, anywhere.
    """
    room = _width() - GAP_COLUMNS * len(headings)
    widest = longest.index(max(longest))
    words = [
        max((len(word) for text in column for word in text.split()), default=0)
        for column in zip(headings, *cells, strict=True)
    ]
    alone = [words[i] if i == widest else length for i, length in enumerate(longest)]
    if sum(alone) - words[widest] + max(MIN_FOLDED, words[widest]) <= room:
        return list(alone)
    return list(words) if sum(words) <= room else [None] * len(headings)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values as a result, one pair a line."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(overflow="fold")
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(Text(printable(name)), Text(printable(value)))
    _print(made)


def _width() -> int:
    """Return the columns there are for a table."""
    if sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else FILE_TABLE_COLUMNS


def _print(made: Any) -> None:
    from rich.console import Console

    page = Console(markup=False, highlight=False, emoji=False, width=_width())
    with page.capture() as captured:
        page.print(made)
    click.echo("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def said_of_moving(share: float | None) -> str | None:
    """Return what is to be said of a still context of a picture of which a share moves."""
    if share is None or share < MOVING_SHARE:
        return None
    return (
        f"{share:.0%} of the picture beside the face does not stand still, and a still context "
        "does; a rate, such as 8k, films it"
    )
