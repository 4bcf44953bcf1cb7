"""The progress display: one bar over all stages, with the time left; without a terminal, lines.

On standard error, and silent under -q.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from facecodec import progress as callbacks
from facecodec.cli import console

# Stages of the commands in order, and the share of the time that each takes, about. The numbers
# are rounded from the seconds that a command prints for every stage where standard error is no
# terminal (`facecodec encode CLIP OUT.fcv 2> stages.txt`), on clips of some 100 frames with the
# preset medium. They make the bar even, and nothing else.
ENCODE = {
    "finding the face": 3.0,
    "looking for occlusions": 1.0,
    "inversion": 45.0,
    "tracking": 40.0,
    "reading the decoded face": 11.0,
    "context": 2.0,
}
ENROL = {
    "reading the pictures": 1.0,
    "finding the face": 3.0,
    "looking for occlusions": 1.0,
    "inversion": 45.0,
    "learning how the face moves": 4.0,
}
TUNE = {
    "finding the face": 1.0,
    "looking for occlusions": 0.5,
    "inversion": 13.0,
    "keyframes": 5.0,
    "tuning": 60.0,
    "tracking": 15.0,
    "reading the decoded face": 5.0,
    "context": 1.0,
}
SMALL_TUNE = {**TUNE, "tuning": 20.0}
FULL_TUNE = {**TUNE, "tuning weights": 40.0}
TUNES = {"small": SMALL_TUNE, "light": TUNE, "full": FULL_TUNE}
DECODE = {"rendering": 1.0}
PUPPET = {**ENCODE, "reading the driver": 5.0, "retargeting": 20.0, "rendering": 40.0}

EVALUATE = {"finding the face": 1.0, "rendering": 1.0, "evaluating": 6.0}
COMPARE = {**ENCODE, "conventional codecs": 50.0, "evaluating": 100.0}
WEB = {"exporting": 1.0}
REPORT = {"evaluating": 3.0, "rendering": 3.0, "control sheet": 1.0}
DISCOVER = {"faces": 40.0, "effects": 5.0, "sensitivity": 20.0, "finding the face": 2.0,
            "inversion": 20.0, "what controls do": 25.0}  # fmt: skip


class Overall:
    """How much of all stages is done, told by what the stages report one after the other."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        """`shares`: the stages in order and how long each takes, in any unit."""
        self.shares = dict(shares)
        self.stage = ""
        self._part = 0.0  # of the stage that runs
        self._done: list[str] = []
        self._begin = time.monotonic()

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Take one report of a stage."""
        if stage != self.stage:
            if self.stage:
                self._done.append(self.stage)
            self.stage, self._part = stage, 0.0
        if total:
            self._part = max(self._part, min(done / total, 1.0))

    @property
    def fraction(self) -> float | None:
        """Return the part of the work that is done, 0 to 1; None where the stage is not foreseen.

        Stages before the one that runs are done, or left out.
        """
        if self.stage not in self.shares:
            return None
        names = list(self.shares)
        before = sum(self.shares[name] for name in names[: names.index(self.stage)])
        return (before + self._part * self.shares[self.stage]) / sum(self.shares.values())

    @property
    def seconds_left(self) -> float | None:
        """Return an estimate of the seconds left, None at the beginning."""
        fraction = self.fraction
        if not fraction or fraction < 0.01:
            return None
        return (time.monotonic() - self._begin) * (1 - fraction) / fraction


@contextmanager
def shown(shares: Mapping[str, float] | None = None) -> Iterator[callbacks.Progress]:
    """Yield the callback that long work reports to; `shares`: its stages, as above."""
    if console.is_quiet():
        yield callbacks.silent
    elif sys.stderr.isatty():
        with _bar(shares or {}) as report:
            yield report
    else:
        with _lines() as report:
            yield report


@contextmanager
def _lines() -> Iterator[callbacks.Progress]:
    """Print a line for every stage that is over."""
    stage, count, begin = "", 0, time.monotonic()

    def end() -> None:
        if stage:
            took = time.monotonic() - begin
            click.echo(f"{console.printable(stage)}: {count} in {took:.1f} s", err=True)

    def report(name: str, done: int, total: int | None) -> None:
        nonlocal stage, count, begin
        if name != stage:
            end()
            stage, begin = name, time.monotonic()
        count = done

    yield report
    end()


@contextmanager
def _bar(shares: Mapping[str, float]) -> Iterator[callbacks.Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    overall = Overall(shares)
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[words]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=Console(stderr=True),
    )
    with bars:
        task = bars.add_task("starting", total=None, words="", left="")

        def report(stage: str, done: int, total: int | None) -> None:
            overall.report(stage, done, total)
            fraction, seconds = overall.fraction, overall.seconds_left
            bars.update(
                task,
                description=console.printable(stage),
                total=1.0 if fraction is not None else total,
                completed=done if fraction is None else fraction,
                words=f"{done} of {total}" if total else f"{done}",
                left="" if seconds is None else f"{clock(seconds)} left",
            )

        yield report


def clock(seconds: float) -> str:
    """Return seconds as 0:07, 12:05 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
