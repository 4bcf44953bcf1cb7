"""A worker process: tasks come in as lines, outcomes go out as lines.

`python -m facecodec.batch.worker MODULE:FUNCTION`. It ends when its standard input does, in the
middle of a task too: whoever gave it is gone.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
from types import FrameType
from typing import BinaryIO

from facecodec.progress import Progress

REPORT_SECONDS = 0.5  # between two lines of progress


def serve(function: str) -> None:
    """Do what comes in, until no more can come.

    function: `module:function`, which is called with a task as JSON and a progress callback.
    """
    out = _own_output()
    signal.signal(signal.SIGTERM, _end)
    tasks: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    module, _, name = function.partition(":")
    perform = getattr(importlib.import_module(module), name)
    while (line := tasks.get()) is not None:
        _write(out, {"ended": perform(line.decode(), _reporter(out))})


def _own_output() -> BinaryIO:
    """Return standard output; from now on, what libraries print there goes to standard error."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _read(tasks: queue.Queue[bytes | None]) -> None:
    """Put lines into the queue; at the end of the input, end what is being done as well."""
    for line in sys.stdin.buffer:
        tasks.put(line)
    tasks.put(None)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(_: int, __: FrameType | None) -> None:
    """End as by Ctrl-C, so that nothing half-written is left."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _reporter(out: BinaryIO) -> Progress:
    last, at = "", 0.0

    def report(stage: str, done: int, total: int | None) -> None:
        nonlocal last, at
        now = time.monotonic()
        if stage == last and now - at < REPORT_SECONDS:
            return
        last, at = stage, now
        _write(out, {"moved": [stage, done, total]})

    return report


def _write(out: BinaryIO, message: dict[str, object]) -> None:
    rest = memoryview((json.dumps(message) + "\n").encode())
    while rest:
        rest = rest[out.write(rest) :]


def main() -> None:
    """Serve, and end at once: threads of libraries, and the one that reads, may be at work."""
    code = 1
    try:
        serve(sys.argv[1])
        code = 0
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    except Exception as error:  # the batch shows the last line
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(code)


if __name__ == "__main__":
    main()
