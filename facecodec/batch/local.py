"""Worker processes on this machine. One that dies takes its clip with it, and is replaced."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from facecodec.batch.engine import PERFORM, Ended, Event, Moved
from facecodec.errors import UsageError
from facecodec.process import module_command

STOP_SECONDS = 10.0  # that a worker may take to remove what is half-written
GIB_PER_WORKER = 3.0  # of memory: an encode of a clip of 1080 lines has been seen to take 2


class LocalEngine:
    """An engine of processes on this machine."""

    def __init__(self, workers: int | None = None, perform: str = PERFORM) -> None:
        """`workers`: processes; None for one a core, as far as memory goes.

        Cores are shared among them. perform: see `facecodec.batch.worker`.
        """
        if workers is not None and workers < 1:
            raise UsageError(f"{workers} workers can do nothing", argument="workers")
        self._count = workers or usual_workers()
        self._perform = perform
        self._environment = _environment(os.environ, self._count)
        self._idle: list[_Worker] = []
        self._busy: dict[int, _Worker] = {}
        self._messages: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()

    def workers(self) -> int:
        """Return the number of processes."""
        return self._count

    def free(self) -> int:
        """Return the number of processes without a task; they start when there is one."""
        return self._count - len(self._busy)

    def submit(self, ticket: int, task: str) -> None:
        """Give a task to a process, which is started where none waits."""
        worker = self._idle.pop() if self._idle else None
        if worker is None or worker.process.poll() is not None:
            worker = _Worker(self._perform, self._environment, self._messages)
        self._busy[ticket] = worker
        worker.give(task)

    def wait(self, seconds: float) -> list[Event]:
        """Return what the processes said since, waiting at most `seconds` for a first word."""
        events: list[Event] = []
        with suppress(queue.Empty):
            while True:
                worker, message = self._messages.get(timeout=0 if events else max(seconds, 0))
                events += self._events(worker, message)
        return events

    def _events(self, worker: _Worker, message: dict[str, Any] | None) -> list[Event]:
        ticket = next((t for t, busy in self._busy.items() if busy is worker), None)
        if ticket is None:  # it died without a task
            return []
        if message is None:
            del self._busy[ticket]
            return [Ended(ticket, None, worker.last_words())]
        if "moved" in message:
            stage, done, total = message["moved"]
            return [Moved(ticket, stage, done, total)]
        self._idle.append(self._busy.pop(ticket))
        return [Ended(ticket, str(message["ended"]))]

    def stop(self) -> None:
        """End all processes."""
        workers = [*self._idle, *self._busy.values()]
        for worker in workers:
            worker.process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for worker in workers:
            worker.end(until - time.monotonic())
        self._idle, self._busy = [], {}


class _Worker:
    """A process, and the thread that hears it."""

    def __init__(
        self,
        perform: str,
        environment: Mapping[str, str],
        messages: queue.Queue[tuple[_Worker, dict[str, Any] | None]],
    ) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        # in a session of its own, so that Ctrl-C ends the batch, which ends its workers
        self.process = subprocess.Popen(
            module_command("facecodec.batch.worker", perform),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env=dict(environment), start_new_session=True,
        )  # fmt: skip
        self._messages = messages
        threading.Thread(target=self._hear, daemon=True).start()

    def give(self, task: str) -> None:
        """Send a task; that the process is gone is told by the thread."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write(task.encode() + b"\n")
            self.process.stdin.flush()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        with suppress(ValueError):
            for line in self.process.stdout:
                self._messages.put((self, json.loads(line)))
        self.process.wait()
        self._messages.put((self, None))

    def last_words(self) -> str:
        """Return how the process ended, and the last line it wrote on standard error."""
        code = self.process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f"its worker {how}{': ' + last if last else ''}"

    def end(self, seconds: float) -> None:
        """Wait for a process that was told to end; kill it when it takes longer than `seconds`."""
        try:
            self.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()


def usual_workers() -> int:
    """Return how many processes this machine takes: one a core, as far as memory goes."""
    most = max(1, int(_memory_gib() / GIB_PER_WORKER))
    return min(cores(), most)


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_threads(workers: int) -> int:
    """Return with how many threads each of so many workers computes: cores are shared."""
    return max(1, cores() // workers)


def _environment(given: Mapping[str, str], workers: int) -> dict[str, str]:
    """Return the environment of a worker: its threads, unless the user has said how many.

    A fit's sums, and so its stream, depend on their number in the last bits.
    """
    return {"OMP_NUM_THREADS": str(worker_threads(workers))} | dict(given)


def _memory_gib() -> float:
    """Return the memory of this machine that is not in use."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) / 2**20
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return GIB_PER_WORKER
