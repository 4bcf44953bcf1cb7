"""Run the tasks of a batch on an engine: each once, failures again later, the rest goes on."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from facecodec.batch.engine import Ended, Engine, Event, Moved
from facecodec.batch.manifest import Line, Manifest, unchanged
from facecodec.batch.task import Outcome, Task, lost

FIRST_PAUSE_SECONDS = 1.0  # before a task is tried again; each further pause is twice as long
LONGEST_PAUSE_SECONDS = 60.0
LISTEN_SECONDS = 0.5  # that an engine is waited for at most, between two looks at everything else


@dataclass
class Tally:
    """How a batch stands.

    verb: what is being done. total: tasks; done, skipped (done before) and failed of them; frames
    of what was done now; running: by ticket, the task, and the stage it is in. begin: on the
    monotonic clock.
    """

    verb: str = ""
    total: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    frames: int = 0
    tries_again: int = 0
    running: dict[int, tuple[Task, Moved | None]] = field(default_factory=dict)
    begin: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> int:
        """Return how many tasks have ended, in whichever way."""
        return self.done + self.skipped + self.failed

    @property
    def frames_per_second(self) -> float:
        """Return the frames a second since the beginning."""
        return self.frames / max(time.monotonic() - self.begin, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """Return an estimate of the seconds left, None before something was done."""
        worked = self.done + self.failed
        if not worked:
            return None
        return (time.monotonic() - self.begin) / worked * (self.total - self.ended)


# told of every change, with the task that ended where one did
Report = Callable[[Tally, "tuple[Task, Line] | None"], None]


def ignored(_: Tally, __: tuple[Task, Line] | None) -> None:
    """Show nothing."""


@dataclass
class _Trial:
    task: Task
    attempts: int = 0


def run_tasks(
    tasks: Sequence[Task],
    begin: Callable[[], Engine],
    manifest: Manifest,
    *,
    retries: int = 2,
    force: bool = False,
    report: Report = ignored,
) -> Tally:
    """Do all tasks, of one verb, and note each in the manifest as it ends. Returns how it went.

    Those that the manifest has as done are left out. begin: returns the engine, once there is
    something to do. What failed and may yet work, and what a lost worker had, is tried `retries`
    times more, after pauses that double. force: overwrite outputs that are not of this batch. What
    it raises (KeyboardInterrupt) loses the tasks in flight alone; the engine is then the caller's
    to stop.
    """
    tally = Tally(tasks[0].verb if tasks else "", len(tasks))
    waiting = deque(_left(tasks, manifest, force, tally))
    if not waiting:
        report(tally, None)
        return tally
    engine = begin()
    flying: dict[int, _Trial] = {}
    later: list[tuple[float, int, _Trial]] = []  # a heap, by when it may begin
    tickets = itertools.count()
    while waiting or flying or later:
        while later and later[0][0] <= time.monotonic():
            waiting.append(heapq.heappop(later)[2])
        while waiting and engine.free() > 0:
            trial, ticket = waiting.popleft(), next(tickets)
            trial.attempts += 1
            if manifest.begin(trial.task):
                trial.task = replace(trial.task, force=True)
            flying[ticket] = trial
            tally.running[ticket] = trial.task, None
            engine.submit(ticket, trial.task.to_json())
        report(tally, None)
        pause = LISTEN_SECONDS
        if later:
            pause = min(pause, max(0.0, later[0][0] - time.monotonic()))
        for event in engine.wait(pause):
            ended = _heard(event, flying, tally)
            if ended is None:
                continue
            trial, outcome = ended
            again = outcome.state == "failed" and not outcome.lasting
            if again and trial.attempts <= retries:
                tally.tries_again += 1
                wait = FIRST_PAUSE_SECONDS * 2 ** (trial.attempts - 1)
                at = time.monotonic() + min(wait, LONGEST_PAUSE_SECONDS)
                heapq.heappush(later, (at, next(tickets), trial))
                continue
            manifest.note(trial.task, outcome, trial.attempts)
            tally.done += outcome.state == "done"
            tally.skipped += outcome.state == "same"
            tally.failed += outcome.state == "failed"
            tally.frames += int(outcome.result.get("frames", 0))
            report(tally, (trial.task, manifest.line(trial.task)))
    return tally


def _left(tasks: Sequence[Task], manifest: Manifest, force: bool, tally: Tally) -> Iterator[_Trial]:
    """Yield what is left to do, and count what is not."""
    for task in tasks:
        line = manifest.done(task)
        if line is not None and unchanged(line):
            tally.skipped += 1
            continue
        known = None
        if line is not None:  # read again, to see whether they are the same
            known = {name: facts["sha256"] for name, facts in line["files"].items()}
        yield _Trial(replace(task, known=known, force=force))


def _heard(event: Event, flying: dict[int, _Trial], tally: Tally) -> tuple[_Trial, Outcome] | None:
    """Take an event; return the task that ended, where one did, and what came of it."""
    if isinstance(event, Ended):
        trial = flying.pop(event.ticket)
        del tally.running[event.ticket]
        if event.outcome is None:
            return trial, lost(event.why)
        return trial, Outcome.from_json(event.outcome)
    tally.running[event.ticket] = flying[event.ticket].task, event
    return None
