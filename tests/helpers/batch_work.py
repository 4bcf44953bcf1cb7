"""What workers of a batch do in tests: something small, or an encode with tiny fits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from facecodec.atomic import refuse_overwrite
from facecodec.batch.task import Task
from facecodec.batch.work import VERBS, carried_out
from facecodec.batch.work import perform as perform_task
from facecodec.errors import FacecodecError, NoFaceError
from facecodec.progress import Progress, silent

PRETEND = "tests.helpers.batch_work:pretend"
TINY_FITS = "tests.helpers.batch_work:tiny_fits"
TINY_FITS_ON_NODES = "tests.helpers.batch_work:tiny_fits_on_nodes"
TINY_PARTS = "tests.helpers.batch_work:tiny_parts"


def tiny_fits(text: str, progress: Progress = silent) -> str:
    """Do a task as workers do, with the tiny preset under the name `fast`."""
    from tests.helpers.presets import TINY, fast_is, pose_corrected_alone

    with fast_is(TINY), pose_corrected_alone():
        return perform_task(text, progress)


def tiny_fits_on_nodes(text: str, progress: Progress = silent) -> str:
    """Do the same on Ray; while a clip is at work, a file beside it says on which node."""
    import ray

    mark = running_on(Path(Task.from_json(text).source), ray.get_runtime_context().get_node_id())
    mark.touch()
    try:
        return tiny_fits(text, progress)
    finally:
        mark.unlink(missing_ok=True)


def running_on(clip: Path, node: str) -> Path:
    """Return the file that is there while a clip is at work on a node of Ray."""
    return clip.with_name(f"{clip.name}.on-{node}")


def tiny_parts(text: str, progress: Progress = silent) -> str:
    """Do the same, with sections of two frames."""
    with short_sections():
        return tiny_fits(text, progress)


@contextmanager
def short_sections() -> Iterator[None]:
    """While entered, a section has two frames at least, and begins one before."""
    with (
        mock.patch("facecodec.encoding.parts.SECTION_FRAMES", 2),
        mock.patch("facecodec.encoding.parts.LEAD_IN_FRAMES", 1),
    ):
        yield


def pretend(text: str, progress: Progress = silent) -> str:
    """Do as the text in the clip says; the output is the clip, and a line is noted of each try."""
    verbs = {**VERBS, "encode": _pretended, "part": _part}
    return carried_out(Task.from_json(text), verbs, progress).to_json()


def _part(task: Task, _: Progress) -> dict[str, Any]:
    """Note which part it is, of a clip that has as many parts as it says."""
    word, *count = Path(task.source).read_text().split()
    with Path(task.source + ".parts").open("a") as file:
        file.write(f"{task.settings['part']}\n")
    if word == "nobody":
        raise NoFaceError(f"{task.source}: no face")
    assert task.output is not None
    Path(task.output).parent.mkdir(exist_ok=True)
    Path(task.output).touch()
    return {"parts": int(count[0]) if count else 1}


def _pretended(task: Task, progress: Progress) -> dict[str, Any]:
    clip, tries = Path(task.source), Path(task.source + ".tries")
    with tries.open("a") as file:
        file.write("try\n")
    count = len(tries.read_text().splitlines())
    progress("pretending", 1, 2)
    word, _, rest = clip.read_text().partition(" ")
    if word == "dies" and count <= int(rest):
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "fails" and count <= int(rest):
        raise FacecodecError("it did not work this time")
    if word == "breaks":
        raise ZeroDivisionError("something\nunforeseen")
    if word == "nobody":
        raise NoFaceError(f"{clip}: no face")
    if word == "sleeps":
        (clip.parent / f"{clip.name}.sleeping").touch()
        time.sleep(float(rest))
    assert task.output is not None
    refuse_overwrite(task.output, task.force)
    Path(task.output).write_text(clip.read_text())
    return {"frames": 2}
