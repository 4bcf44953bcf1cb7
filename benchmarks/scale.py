"""What a batch costs beside its clips, and what is lost with machines that are taken away.

`python benchmarks/scale.py --json benchmarks/results/scale.json` runs tasks that do nothing, on
processes and, where it is installed, on Ray: so many a second is the most that a batch can hand
out. Then it simulates machines that are lost at random, with clips that begin again and with clips
that go on from a checkpoint.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from facecodec.batch.batch import Batch, encode_batch
from facecodec.batch.engine import Engine
from facecodec.batch.local import LocalEngine
from facecodec.batch.manifest import NAME
from facecodec.batch.on_ray import RayEngine
from facecodec.batch.task import Task
from facecodec.batch.work import carried_out
from facecodec.progress import Progress, silent
from facecodec.workshop.machine import machine

TASKS = 1000
CLIP_BYTES = 1_000_000
KEPT_EVERY_HOURS = 10 / 3600  # of a checkpoint
CLIP_HOURS = (0.1, 1.0, 3.0, 10.0)  # of work that a clip takes a worker
LIFE_HOURS = (4.0, 24.0, 720.0)  # that a machine stays, on average: rented by the hour, or owned
SIMULATED_CLIPS = 20_000


def nothing(text: str, progress: Progress = silent) -> str:
    """Do a task that reads its clip and writes a byte."""

    def written(task: Task, _: Progress) -> dict[str, int]:
        assert task.output is not None
        Path(task.output).write_bytes(b"-")
        return {"frames": 0}

    return carried_out(Task.from_json(text), {"encode": written}, progress).to_json()


def handed_out(engine: Callable[[], Engine]) -> tuple[float, float, float]:
    """Return tasks a second, tasks skipped a second, and bytes of the manifest a task."""
    with tempfile.TemporaryDirectory() as name:
        clips, out = Path(name) / "clips", Path(name) / "out"
        clips.mkdir()
        for k in range(TASKS):
            (clips / f"{k}.mp4").write_bytes(bytes(CLIP_BYTES))
        begin = time.perf_counter()
        batch = Batch([clips], out, engine, resume=True)
        assert encode_batch(batch).done == TASKS
        done = TASKS / (time.perf_counter() - begin)
        size = (out / NAME).stat().st_size / TASKS
        begin = time.perf_counter()
        assert encode_batch(batch).skipped == TASKS
        return done, TASKS / (time.perf_counter() - begin), size


def efficiency(clip: float, life: float, kept_every: float | None) -> float:
    """Return the share of machine time that is of use, by simulation.

    clip: hours of work of a clip. life: mean hours that a machine stays, exponentially distributed.
    kept_every: hours between two times that a clip is kept; None where it begins again.
    """
    draw = np.random.default_rng(0)
    spent = 0.0
    for _ in range(SIMULATED_CLIPS):
        left = clip
        while True:
            until = draw.exponential(life)
            if until >= left:
                spent += left
                break
            spent += until
            if kept_every is not None:
                left -= until - until % kept_every
            if spent > 1000 * clip * SIMULATED_CLIPS:
                return 0.0
    return clip * SIMULATED_CLIPS / spent


def main() -> None:
    """Measure, simulate, and write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    function = f"{Path(__file__).stem}:nothing"
    engines: dict[str, Callable[[], Engine]] = {
        "local": lambda: LocalEngine(2, function),
    }
    if importlib.util.find_spec("ray"):
        engines["ray"] = lambda: RayEngine(None, 2, perform=function)
    rows = [
        [name, *(f"{value:.0f}" for value in handed_out(engine))]
        for name, engine in engines.items()
    ]
    lost = [
        [f"{clip:g} h", f"{life:g} h", f"{100 * efficiency(clip, life, None):.1f} %",
         f"{100 * efficiency(clip, life, KEPT_EVERY_HOURS):.1f} %"]
        for clip in CLIP_HOURS for life in LIFE_HOURS if clip < 3 * life
    ]  # fmt: skip
    facts = {
        "machine": machine(),
        "command": "PYTHONPATH=benchmarks python benchmarks/scale.py",
        "table": {
            "columns": ["engine", "tasks/s", "skipped/s", "manifest bytes/clip"], "rows": rows,
        },
        "lost": {"columns": ["work of a clip", "machines stay", "begun again", "checkpoint"],
                 "rows": lost},
    }  # fmt: skip
    text = json.dumps(facts, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
