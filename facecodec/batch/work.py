"""What a worker does with a task, in any process on any machine that has the files."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facecodec.batch.task import FileFacts, Outcome, Task
from facecodec.errors import FacecodecError, ModelError, NoFaceError, StreamError, UsageError
from facecodec.process import set_process_defaults
from facecodec.progress import Progress, silent

# Errors of the clip or of the call: the next try would end the same way.
LASTING = (UsageError, NoFaceError, StreamError, ModelError)


def perform(text: str, progress: Progress = silent) -> str:
    """Do a task and return its outcome, both as lines of JSON.

    No error of the task is raised: the outcome says it. progress: told of the stages of the work.
    """
    return carried_out(Task.from_json(text), VERBS, progress).to_json()


def carried_out(task: Task, verbs: dict[str, Verb], progress: Progress) -> Outcome:
    """Do a task by one of `verbs`, and return what came of it."""
    begin = time.monotonic()
    files: dict[str, FileFacts] = {}
    result: dict[str, Any] = {}
    error, lasting, state, size = None, False, "failed", None
    try:
        set_process_defaults()  # before torch is loaded
        files = {name: facts_of(Path(path)) for name, path in task.files.items()}
        if task.known == {name: facts.sha256 for name, facts in files.items()}:
            state = "same"
        else:
            result = verbs[task.verb](task, progress) | task.note
            state = "done"
        size = None if task.output is None else Path(task.output).stat().st_size
    except FacecodecError as failure:
        state, error, lasting = "failed", str(failure), isinstance(failure, LASTING)
    except Exception as failure:  # of a library, for a file that nobody foresaw
        state, error = "failed", f"{type(failure).__name__}: {failure}"
    return Outcome(
        state,
        files,
        result,
        round(time.monotonic() - begin, 3),
        f"{socket.gethostname()}:{os.getpid()}",
        size,
        None if error is None else " ".join(error.split()),
        lasting,
    )


def facts_of(path: Path) -> FileFacts:
    """Return what tells a file from another. Raises UsageError when it cannot be read."""
    try:
        with path.open("rb") as file:
            stamp = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    return FileFacts(str(path), digest, stamp.st_size, stamp.st_mtime_ns)


def _encode(task: Task, progress: Progress) -> dict[str, Any]:
    """Encode a clip as `facecodec.encode` does."""
    from facecodec.encoding.encode import encode

    done = encode(
        task.source,
        _output(task),
        identity=task.files.get("identity"),
        rig=task.files.get("rig"),
        keep_person=False,
        force=task.force,
        progress=progress,
        **task.settings,
    )
    facts = asdict(done)
    del facts["flagged"]  # one line for each run of frames; the stream has them
    return facts | {"kbps": done.kbps}


def _part(task: Task, progress: Progress) -> dict[str, Any]:
    """Do one part of an encode, which stays in its checkpoint; say how many parts it has."""
    from facecodec.encoding.encode import encode
    from facecodec.encoding.parts import PartDone, Parts

    given = dict(task.settings)
    try:
        encode(
            task.source,
            given.pop("of"),
            identity=task.files.get("identity"),
            rig=task.files.get("rig"),
            parts=Parts(given.pop("parts"), given.pop("part")),
            keep_person=False,
            force=True,
            progress=progress,
            **given,
        )
    except PartDone as done:
        Path(_output(task)).touch()
        return {"parts": done.parts}
    raise FacecodecError(f"{task.source}: was encoded, and not a part of it")


def _decode(task: Task, progress: Progress) -> dict[str, Any]:
    """Decode a stream as `facecodec.decode` does."""
    from facecodec.decoding.decode import decode

    done = decode(
        task.source,
        _output(task),
        identity=task.files.get("identity"),
        rig=task.files.get("rig"),
        force=task.force,
        progress=progress,
        **task.settings,
    )
    return asdict(done) | {"damage": [str(damage) for damage in done.damage]}


def _eval(task: Task, progress: Progress) -> dict[str, Any]:
    """Measure a stream against its reference as `facecodec.evaluate` does; write the figures."""
    import json

    from facecodec.atomic import opened_whole, refuse_overwrite
    from facecodec.study.evaluate import Options, evaluate_files

    refuse_overwrite(_output(task), task.force, list(task.files.values()))
    settings = dict(task.settings)
    frames = settings.pop("max_frames", None)
    rig, landmarker = task.files.get("rig"), task.files.get("face_landmarker")
    options = Options(
        landmarker=Path(landmarker) if landmarker else None,
        rig=Path(rig) if rig else None,
        identity=task.files.get("identity"),
        **settings,
    )
    measured = evaluate_files(
        task.files["reference"], task.source, max_frames=frames, options=options, progress=progress
    )
    facts = measured.as_json()
    named = {"files": [task.files["reference"], task.source]} | facts
    with opened_whole(_output(task)) as file:
        file.write((json.dumps(named, indent=2) + "\n").encode())
    return {"frames": measured.frames, "values": facts["values"]}


def _look(task: Task, _: Progress) -> dict[str, Any]:
    """Find out who is seen most in a clip."""
    from facecodec.batch.people import look

    return look(Path(task.source), **task.settings)


def _enrol(task: Task, progress: Progress) -> dict[str, Any]:
    """Enrol the person of a clip as `facecodec.enrol` does."""
    from facecodec.encoding.enrol import enrol

    done = enrol(
        task.source,
        _output(task),
        rig=task.files.get("rig"),
        prepare=task.settings.get("preset") == "live",
        force=task.force,
        progress=progress,
        **task.settings,
    )
    return {"frames": done.frames, "sha256": done.person.sha256.hex(), "stages": done.stages}


def _output(task: Task) -> str:
    if task.output is None:
        raise UsageError(f"{task.source}: there is no name for what {task.verb} writes")
    return task.output


Verb = Callable[[Task, Progress], dict[str, Any]]


def _with_kept_models(verb: Verb) -> Verb:
    """Return the verb, done with the models that an earlier task of this process has loaded."""

    def done(task: Task, progress: Progress) -> dict[str, Any]:
        from facecodec.models import keep_models

        keep_models()
        return verb(task, progress)

    return done


VERBS: dict[str, Verb] = {
    "encode": _with_kept_models(_encode),
    "part": _with_kept_models(_part),
    "decode": _with_kept_models(_decode),
    "eval": _with_kept_models(_eval),
    "look": _look,
    "enrol": _with_kept_models(_enrol),
}
