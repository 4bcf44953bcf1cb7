"""An engine: where tasks run. The batch is the same on every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

PERFORM = "facecodec.batch.work:perform"  # what a worker calls with a task, `module:function`


@dataclass(frozen=True)
class Moved:
    """A stage of a task has got further: `done` of `total` units, None where that is not known."""

    ticket: int
    stage: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Ended:
    """A task has ended: its outcome as JSON, None where the worker is gone, and then `why`."""

    ticket: int
    outcome: str | None
    why: str = ""


Event = Moved | Ended


class Engine(Protocol):
    """Workers that take tasks. Tasks are known by a ticket, a number that is given once."""

    def free(self) -> int:
        """Return how many tasks would begin at once."""
        ...

    def workers(self) -> int:
        """Return how many tasks run at the same time at most, as far as is known now."""
        ...

    def submit(self, ticket: int, task: str) -> None:
        """Give a task, as JSON, to a free worker."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """Return what has happened; wait for something, `seconds` at most."""
        ...

    def stop(self) -> None:
        """End all workers, and what they do, at once; nothing half-written stays."""
        ...
