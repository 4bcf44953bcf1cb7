"""What a batch does to one clip, and what comes of it: plain data that travels as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

SOURCE = "source"  # the name of a task's main file; the others are called as the verb's arguments


@dataclass(frozen=True)
class Task:
    """One clip to do.

    verb: what is done, see `facecodec.batch.work`. files: what is read, by name; `SOURCE` is the
    clip. output: the file that is written, None where there is none. settings: arguments of the
    verb. known: the SHA-256 of each file when the task was done before
    with these settings; it is not done again if they are the same. note: what is copied into the
    result.
    """

    verb: str
    files: dict[str, str]
    output: str | None
    settings: dict[str, Any]
    force: bool = False
    known: dict[str, str] | None = None
    note: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Return the clip."""
        return self.files[SOURCE]

    def to_json(self) -> str:
        """Return the task as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Return the task that a line holds."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class FileFacts:
    """Which file it was: its SHA-256, and size and time of change, which say so without reading."""

    path: str
    sha256: str
    bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    state: 'done'; 'same', where nothing was to do; or 'failed'. result: what the verb says of it.
    output_bytes: the size of the output. error: one line; lasting: whether another try would end
    the same way. worker: host and process.
    """

    state: str
    files: dict[str, FileFacts]
    result: dict[str, Any]
    seconds: float
    worker: str
    output_bytes: int | None = None
    error: str | None = None
    lasting: bool = False

    def to_json(self) -> str:
        """Return the outcome as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Return the outcome that a line holds."""
        facts = json.loads(text)
        facts["files"] = {name: FileFacts(**file) for name, file in facts["files"].items()}
        return cls(**facts)


def lost(why: str, worker: str = "") -> Outcome:
    """Return the outcome of a task whose worker is gone: it may be tried again."""
    return Outcome("failed", {}, {}, 0.0, worker, error=why)
