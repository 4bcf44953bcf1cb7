"""Keep encoders of others from writing to the terminal and from taking the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the encoders' own messages off the terminal."""
    os.environ.setdefault("SVT_LOG", "0")
    level = av.logging.get_level()
    av.logging.set_level(av.logging.PANIC)
    try:
        yield
    finally:
        av.logging.set_level(level)


@contextmanager
def usual_priority() -> Iterator[None]:
    """Give every thread the scheduling that the caller had before.

    Started as root, SVT-AV1 makes the calling thread and its own real-time ones, which starve the
    rest of the machine, and with it the threads of ours that the caller then waits for.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in (int(entry.name) for entry in Path("/proc/self/task").iterdir()):
            with suppress(OSError):  # a thread may have ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, parameters)
