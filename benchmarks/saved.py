"""What a benchmark leaves behind: figures as JSON, with the machine and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facecodec.process import set_process_defaults
from facecodec.workshop.machine import machine

set_process_defaults()


def save(path: Path | None, command: str, made_on: str | None = None, **figures: Any) -> None:
    """Write figures to a file, or nowhere without one; `tables.py` reads `table`.

    command: what reproduces them; made_on: where streams come from that were made elsewhere.
    """
    if path is None:
        return
    where = {"made_on": made_on} if made_on else {}
    document = {"machine": machine(), "command": command, **where, **figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
