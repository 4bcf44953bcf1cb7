"""Long clips of a batch, each tracked in parts by several workers, with one person.

First what every part needs is made, the scan of the clip and its person; then the parts are
tracked, in any order; and then the clip is encoded, which finds all that in its checkpoint. An
encode makes what is missing there, so that a part that failed costs time alone. A clip that is not
in parts is tracked in the same sections: the stream is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from facecodec.batch.manifest import Manifest, unchanged
from facecodec.batch.run import Tally
from facecodec.batch.task import Task

CHECKPOINT = "{output}.checkpoint"  # see `facecodec.encoding.checkpoint`
PREPARATION = -1  # see `facecodec.encoding.parts`


def encode_in_parts(
    tasks: Sequence[Task], parts: int, manifest: Manifest, run: Callable[[Sequence[Task]], Tally]
) -> Tally:
    """Do encodes with their clips in at most so many parts; return how the encodes went."""
    whole = [replace(task, settings=task.settings | {"checkpoint": True}) for task in tasks]
    new = [task for task in whole if not _is_done(task, manifest)]
    prepared = [_part(task, PREPARATION, parts) for task in new]
    if prepared:
        run(prepared)
    tracked = []
    for task, preparation in zip(new, prepared, strict=True):
        line = manifest.done(preparation)
        count = 0 if line is None else int(line["result"]["parts"])
        tracked += [_part(task, k, parts) for k in range(count) if count > 1]
    if tracked:
        run(tracked)
    return run(whole)


def _is_done(task: Task, manifest: Manifest) -> bool:
    line = manifest.done(task)
    return line is not None and unchanged(line)


def _part(task: Task, part: int, parts: int) -> Task:
    """Return the task of one part of an encode, known by a name of its own in the checkpoint."""
    output = str(task.output)
    settings = task.settings | {"of": output, "part": part, "parts": parts}
    folder = CHECKPOINT.format(output=output)
    return Task("part", task.files, f"{folder}/{part + 1}.part", settings)
