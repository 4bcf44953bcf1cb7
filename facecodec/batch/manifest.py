"""The manifest of a batch: lines of JSON, one when a clip is begun and one when it has ended.

Lines are appended and flushed to the disk, so that a batch that is killed loses none that was
written, and the next one knows which outputs may be of this one. The last line of an output counts.
A line that was cut short is left out.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from facecodec.batch.task import Outcome, Task
from facecodec.errors import FacecodecError, UsageError
from facecodec.lock import hold
from facecodec.version import __version__

NAME = "manifest.jsonl"  # in the folder of a batch's outputs

Line = dict[str, Any]
Key = tuple[str, str]  # the verb, and the output or, without one, the source


class Manifest:
    """The manifest in a folder: what was done, and where more is noted. A context manager."""

    def __init__(self, folder: Path, fresh: bool = False) -> None:
        """Open the manifest of `folder`, or begin it; fresh: forget what it says.

        Raises UsageError when another batch writes it, FacecodecError when it cannot be written.
        """
        self.path = folder / NAME
        self.lines: dict[Key, Line] = {} if fresh else read_manifest(self.path)
        try:
            self._file = self.path.open("a", encoding="utf-8")
            hold(self._file.fileno(), f"{self.path}: another batch is at work in this folder")
            if fresh:
                self._file.truncate(0)
            elif not _ends_whole(self.path):
                self._file.write("\n")  # after a line that was cut short
        except OSError as error:
            raise FacecodecError(f"{self.path}: cannot be written ({error.strerror})") from error

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._file.close()

    def begin(self, task: Task) -> bool:
        """Note that a task is begun. Returns whether its output may be replaced.

        That is so where there is none, or it is of this batch. Raises FacecodecError when the
        manifest cannot be written.
        """
        before = self.lines.get(key_of(task))
        ours = before is not None and bool(before["ours"])
        ours = ours or task.output is None or not os.path.lexists(task.output)
        self._append(
            {
                "verb": task.verb, "input": task.source, "output": task.output,
                "state": "begun", "ours": ours,
            }
        )  # fmt: skip
        if before is None:
            self.lines[key_of(task)] = {"state": "begun", "ours": ours}
        return ours

    def note(self, task: Task, outcome: Outcome, attempts: int) -> None:
        """Append what came of a task. Raises FacecodecError when it cannot be written."""
        before = self.lines.get(key_of(task))
        line: Line = {
            "verb": task.verb,
            "input": task.source,
            "output": task.output,
            "state": "failed" if outcome.state == "failed" else "done",
            "ours": outcome.state != "failed" or bool(before and before["ours"]),
            "files": {name: asdict(facts) for name, facts in outcome.files.items()},
            "settings": task.settings,
            "version": __version__,
            "result": outcome.result,
            "output_bytes": outcome.output_bytes,
            "seconds": outcome.seconds,
            "attempts": attempts,
            "error": outcome.error,
            "worker": outcome.worker,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        if (
            outcome.state == "same" and before is not None
        ):  # what was done stays done, by files that changed their time
            kept = ("result", "output_bytes", "seconds", "attempts", "worker", "when")
            line |= {name: before[name] for name in kept}
        self._append(line)
        self.lines[key_of(task)] = line

    def _append(self, line: Line) -> None:
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise FacecodecError(f"{self.path}: cannot be written ({error.strerror})") from error

    def done(self, task: Task) -> Line | None:
        """Return the line of a task that was done with these settings by this version.

        None where it was not, or its output is not there any more as it was written.
        """
        line = self.lines.get(key_of(task))
        if line is None or line["state"] != "done" or line["version"] != __version__:
            return None
        same = line["settings"] == json.loads(json.dumps(task.settings))
        if not same or line["files"].keys() != task.files.keys():
            return None
        if task.output is not None and _bytes(Path(task.output)) != line["output_bytes"]:
            return None
        return line

    def line(self, task: Task) -> Line:
        """Return what was last noted of a task that was noted."""
        return self.lines[key_of(task)]


def key_of(task: Task) -> Key:
    """Return under what a manifest knows a task."""
    return task.verb, task.output or task.source


def unchanged(line: Line) -> bool:
    """Return whether the files of a line have the size and the time they had then."""
    return all(
        (stamp := _stamp(Path(facts["path"]))) is not None
        and stamp == (facts["bytes"], facts["modified_ns"])
        for facts in line["files"].values()
    )


def read_manifest(path: Path) -> dict[Key, Line]:
    """Return the last line of every output in a manifest; empty where there is no manifest.

    Raises UsageError for a file that cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    lines: dict[Key, Line] = {}
    for written in text.splitlines():
        try:
            line = json.loads(written)
            line["ours"] = bool(line["ours"])
            key = line["verb"], line["output"] or line["input"]
            lines[key] = lines.get(key, {}) | line  # begun: what was before stays known
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return lines


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _bytes(path: Path) -> int | None:
    stamp = _stamp(path)
    return None if stamp is None else stamp[0]


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
