"""Tasks on Ray: on this machine, or on a cluster whose nodes see the same files.

Ray starts worker processes and uses them again, so that each loads its models once. A node that is
lost takes the clips with it that it had in flight; they are given to others.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from facecodec.batch.engine import PERFORM, Ended, Event
from facecodec.errors import FacecodecError, UsageError

LOOK_SECONDS = 2.0  # between two looks at what the cluster has


class RayEngine:
    """An engine of Ray's tasks."""

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        *,
        cpus: float = 1.0,
        gpus: float = 0.0,
        perform: str = PERFORM,
    ) -> None:
        """Join the cluster at `address`, or start Ray on this machine where it is None.

        workers: tasks at the same time at most; as many as the cluster has room for when None.
        cpus, gpus: of a task; a GPU may be shared by fractions. perform: see `_perform`.
        Raises UsageError where Ray is not installed, FacecodecError where there is no cluster at
        `address` or none of its nodes has room for a task.
        """
        try:
            import ray
        except ImportError as error:
            raise UsageError(
                "Ray is not installed; run: pip install 'facecodec[batch]'", argument="engine"
            ) from error
        self._ray: Any = ray
        self._started = not ray.is_initialized()
        if self._started:
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise FacecodecError(f"no Ray cluster at {address}: {error}") from error
        self._need = {"CPU": cpus, "GPU": gpus}
        self._most = workers
        self._looked, self._room = 0.0, 0
        # a task is tried again by the batch, not by Ray; its process stays, with what it loaded
        self._remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0, max_calls=0)(
            _perform
        )
        self._perform = perform
        self._flying: dict[Any, int] = {}
        if not self.workers():
            self.stop()
            raise FacecodecError(
                f"no node of the Ray cluster has {cpus:g} CPUs and {gpus:g} GPUs for a task"
            )

    def workers(self) -> int:
        """Return how many tasks the nodes that are alive have room for."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._room = sum(map(self._room_on, alive))
        return self._room if self._most is None else min(self._room, self._most)

    def _room_on(self, resources: dict[str, float]) -> int:
        needs = [(name, amount) for name, amount in self._need.items() if amount]
        return min(int(resources.get(name, 0.0) / amount) for name, amount in needs)

    def free(self) -> int:
        """Return how many more tasks there is room for."""
        return self.workers() - len(self._flying)

    def submit(self, ticket: int, task: str) -> None:
        """Give a task to the cluster."""
        self._flying[self._remote.remote(self._perform, task)] = ticket

    def wait(self, seconds: float) -> list[Event]:
        """Return which tasks ended, waiting at most `seconds` for a first one."""
        if not self._flying:
            time.sleep(max(seconds, 0.0))
            return []
        ready, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=max(seconds, 0.0))
        events: list[Event] = []
        for reference in ready:
            ticket = self._flying.pop(reference)
            try:
                events.append(Ended(ticket, self._ray.get(reference)))
            except self._ray.exceptions.RayError as error:
                why = str(error).strip().split("\n")[0]
                events.append(Ended(ticket, None, f"its worker is lost ({why})"))
        return events

    def stop(self) -> None:
        """Interrupt all tasks, and leave the cluster; end it where this engine began it."""
        for reference in self._flying:
            self._ray.cancel(reference, force=False)
        if self._flying:
            self._ray.wait(list(self._flying), num_returns=len(self._flying), timeout=LOOK_SECONDS)
        self._flying = {}
        if self._started:
            self._ray.shutdown()


def _perform(function: str, task: str) -> str:
    """Call `module:function` with a task, on whichever node Ray has chosen."""
    module, _, name = function.partition(":")
    outcome: str = getattr(importlib.import_module(module), name)(task)
    return outcome
