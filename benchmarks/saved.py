"""What a benchmark leaves behind: figures as JSON, with the machine and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facecodec.pipeline.machine import machine


def save(path: Path | None, command: str, **figures: Any) -> None:
    """Write figures to a file, or nowhere without one; `tables.py` reads `table`.

    command: what reproduces them.
    """
    if path is None:
        return
    document = {"machine": machine(), "command": command, **figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
