"""Processes: what one that computes with facecodec should set, and how one is begun."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DEFAULTS = {
    # Threads that wait for others sleep instead of spinning, which halves the processor time of a
    # render beside a video encoder. Read when OpenMP is loaded, which torch does.
    "OMP_WAIT_POLICY": "PASSIVE",
    # MKL's sums otherwise depend on where memory happens to lie, and the same input must give the
    # same stream. Read at MKL's first call.
    "MKL_CBWR": "AUTO,STRICT",
}


def set_process_defaults() -> None:
    """Set environment variables of this process for repeatable sums and idle threads that sleep.

    The command line calls this. A program that imports facecodec may call it before it imports
    torch; without it, the same input may give streams that differ in their last bits from run to
    run. What the environment says already stays.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package, by its name, in another process.

    `python -m` would look for modules in the current folder first, where anybody's files may lie.
    """
    packages = str(Path(__file__).resolve().parent.parent)
    code = (
        f"import runpy, sys; sys.path.append({packages!r}); "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-P", "-c", code, *arguments]
