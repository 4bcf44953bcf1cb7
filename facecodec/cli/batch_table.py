"""How a batch goes: a table on a terminal, else a line for each clip; on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from facecodec.batch.manifest import Line
from facecodec.batch.run import Tally
from facecodec.batch.task import Task
from facecodec.cli import console
from facecodec.cli.progress import clock

SHOWN_RUNNING = 12  # clips in flight that the table names
PER_SECOND = 4  # times that the table is redrawn
VERBS = {
    "encode": "encoding",
    "part": "tracking in parts",
    "decode": "decoding",
    "eval": "measuring",
    "look": "looking who it is",
    "enrol": "fitting people",
}


class Shown:
    """Takes reports of a batch and shows them."""

    def __init__(self, live: Any = None) -> None:
        """`live`: a `rich.live.Live` that the table is drawn in; None for lines."""
        self._live = live
        self._begin = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the seconds since the batch began."""
        return time.monotonic() - self._begin

    def __call__(self, tally: Tally, ended: tuple[Task, Line] | None) -> None:
        """Show how it stands, and what ended; failures stay to be read."""
        if ended is not None and (self._live is None or ended[1]["state"] == "failed"):
            self._say(tally, *ended)
        if self._live is not None:
            self._live.update(_table(tally))

    def _say(self, tally: Tally, task: Task, line: Line) -> None:
        words = line["error"] if line["state"] == "failed" else f"in {line['seconds']:.1f} s"
        said = f"[{tally.ended}/{tally.total}] {task.verb} {task.source}: {line['state']}, {words}"
        if self._live is None:
            console.say(said)
        else:
            from rich.text import Text

            self._live.console.print(Text(console.printable(said)))


@contextmanager
def shown() -> Iterator[Shown]:
    """Yield what a batch reports to."""
    if console.is_quiet() or not sys.stderr.isatty():
        yield Shown()
        return
    from rich.console import Console
    from rich.live import Live

    page = Console(stderr=True, markup=False, highlight=False, emoji=False)
    with Live(console=page, refresh_per_second=PER_SECOND, transient=True) as live:
        yield Shown(live)


def _table(tally: Tally) -> Any:
    """Return the table: one line for the batch, one for each clip in flight."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    left = tally.seconds_left
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in (VERBS.get(tally.verb, tally.verb), "done", "skipped", "failed", "frames/s"):
        made.add_column(heading, overflow="fold")
    made.add_column("time left")
    made.add_row(
        f"{tally.ended} of {tally.total} clips",
        str(tally.done), str(tally.skipped), str(tally.failed),
        f"{tally.frames_per_second:.1f}", "" if left is None else clock(left),
    )  # fmt: skip
    for task, moved in list(tally.running.values())[:SHOWN_RUNNING]:
        stage = ""
        if moved is not None:
            stage = f"{moved.stage} {moved.done}" + (f" of {moved.total}" if moved.total else "")
        made.add_row(console.printable(task.source), console.printable(stage), "", "", "", "")
    more = len(tally.running) - SHOWN_RUNNING
    if more > 0:
        made.add_row(f"and {more} more", "", "", "", "", "")
    return made
