"""The progress display: stage, bar, time left; on stderr, silent when that is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from facecodec import progress as callbacks


@contextmanager
def shown(quiet: bool = False) -> Iterator[callbacks.Progress]:
    """Yield the callback that long work reports to."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield callbacks.silent
        return
    bars = Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )
    tasks: dict[str, int] = {}
    with bars:

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield report
