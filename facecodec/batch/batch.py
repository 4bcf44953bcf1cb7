"""Batches: encode, decode or measure many clips, and keep a manifest of what came of each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facecodec.batch.engine import Engine
from facecodec.batch.inputs import STREAM_SUFFIXES, VIDEO_SUFFIXES, find_inputs, output_names
from facecodec.batch.manifest import NAME, Manifest, read_manifest
from facecodec.batch.parts import encode_in_parts
from facecodec.batch.people import Person, group
from facecodec.batch.run import Report, Tally, ignored, run_tasks
from facecodec.batch.task import SOURCE, Task, lost
from facecodec.errors import UsageError

MOST_TRIED = 3  # clips of one person that are tried for their file, before it is given up


@dataclass(frozen=True)
class Batch:
    """What every batch takes.

    inputs: files, or folders that are searched. folder: of the outputs and the manifest; it is
    made. engine: called for the workers, once it is known that there is work. pattern: which files
    of a folder, see `find_inputs`. settings: arguments of the verb. files: further ones that the
    verb reads, by name, such as a rig. resume: go on in a folder that has a manifest. force: begin
    again there, and overwrite. retries: of what failed and may yet work. report: told of progress.
    """

    inputs: Sequence[str | Path]
    folder: Path
    engine: Callable[[], Engine]
    pattern: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False
    force: bool = False
    retries: int = 2
    report: Report = ignored

    def tasks(self, verb: str, suffixes: Sequence[str], suffix: str) -> list[Task]:
        """Return a task for each input; raises what `find_inputs` does."""
        found = find_inputs(self.inputs, self.pattern, suffixes)
        outputs = output_names(found, self.folder, suffix)
        return [
            Task(verb, {SOURCE: str(path), **self.files}, str(output), dict(self.settings))
            for (path, _), output in zip(found, outputs, strict=True)
        ]

    def opened(self, tasks: Sequence[Task]) -> Manifest:
        """Make the folders of the outputs, and open the manifest.

        Raises UsageError where one is there already and neither `resume` nor `force` is set.
        """
        manifest = self.folder / NAME
        if manifest.exists() and not self.resume and not self.force:
            raise UsageError(
                f"{manifest} exists already: resume goes on with it, and force starts again"
            )
        try:
            for parent in dict.fromkeys(Path(task.output or self.folder).parent for task in tasks):
                parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot be made ({error.strerror})") from error
        return Manifest(self.folder, fresh=self.force and not self.resume)


def encode_batch(batch: Batch, group_people: bool = False, parts: int = 1) -> Tally:
    """Encode many videos, each as `facecodec.encode` does.

    group_people: clips are grouped by whom they show, and each person is fitted once, out of the
    clip that shows them best: to `person-N.fci`, of which every folder with their streams has a
    copy, so that the streams are decoded as they are. parts: long clips are tracked in up to so
    many parts at the same time.
    Raises UsageError for inputs or a folder that cannot be; what becomes of a clip is in the tally
    and in the manifest.
    """
    tasks = batch.tasks("encode", VIDEO_SUFFIXES, ".fcv")
    with batch.opened(tasks) as manifest, _Workers(batch, manifest) as workers:

        def encode(ready: Sequence[Task]) -> Tally:
            if parts > 1:
                return encode_in_parts(ready, parts, manifest, workers.run)
            return workers.run(ready)

        if not group_people:
            return encode(tasks)
        ready = _with_people(batch, tasks, manifest, workers)
        tally = encode(ready)
        tally.total, tally.failed = len(tasks), tally.failed + len(tasks) - len(ready)
        return tally


def decode_batch(batch: Batch, suffix: str = ".mp4") -> Tally:
    """Decode many streams, each as `facecodec.decode` does, to videos of this kind."""
    tasks = batch.tasks("decode", STREAM_SUFFIXES, suffix)
    with batch.opened(tasks) as manifest, _Workers(batch, manifest) as workers:
        return workers.run(tasks)


def eval_batch(batch: Batch, references: Path | None = None) -> Tally:
    """Measure many streams against what they were encoded from; figures go to a .json each.

    references: the folder of the videos, which have the streams' names; where it is None, the
    manifests beside the streams say what they were made of. Raises UsageError for a stream whose
    reference is not there.
    """
    tasks = []
    for task in batch.tasks("eval", STREAM_SUFFIXES, ".json"):
        reference = _reference(Path(task.source), batch, references)
        tasks.append(
            Task("eval", {**task.files, "reference": reference}, task.output, task.settings)
        )
    with batch.opened(tasks) as manifest, _Workers(batch, manifest) as workers:
        return workers.run(tasks)


class _Workers:
    """The engine of a batch, begun when there is work, and ended with it."""

    def __init__(self, batch: Batch, manifest: Manifest) -> None:
        self._batch, self._manifest = batch, manifest
        self._engine: Engine | None = None

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.stop()

    def run(self, tasks: Sequence[Task]) -> Tally:
        """Do tasks; see `run_tasks`."""
        batch = self._batch
        return run_tasks(
            tasks, self._begin, self._manifest,
            retries=batch.retries, force=batch.force, report=batch.report,
        )  # fmt: skip

    def _begin(self) -> Engine:
        if self._engine is None:
            self._engine = self._batch.engine()
        return self._engine


def _reference(stream: Path, batch: Batch, references: Path | None) -> str:
    """Return the video that a stream was made of."""
    if references is None:
        for folder in stream.absolute().parents:
            for (verb, output), line in read_manifest(folder / NAME).items():
                if verb == "encode" and Path(output).absolute() == stream.absolute():
                    return str(line["input"])
            if (folder / NAME).exists():
                break
        raise UsageError(f"{stream}: no manifest says what it was made of; name the folder of it")
    roots = [Path(path) for path in batch.inputs if Path(path).is_dir()]
    root = next((path for path in roots if stream.is_relative_to(path)), stream.parent)
    name = stream.relative_to(root).with_suffix("")
    for suffix in VIDEO_SUFFIXES:
        video = references / name.with_name(name.name + suffix)
        if video.is_file():
            return str(video)
    raise UsageError(f"{stream}: {references} has no video called {name}")


def _with_people(
    batch: Batch, tasks: Sequence[Task], manifest: Manifest, workers: _Workers
) -> list[Task]:
    """Fit each person once, and return the tasks that can be done, with their person."""
    shown = {"max_frames": batch.settings.get("max_frames")}
    looks = [Task("look", {SOURCE: task.source}, None, shown) for task in tasks]
    workers.run(looks)
    seen = {}
    for task in looks:
        line = manifest.done(task)
        if line is not None:
            seen[task.source] = line["result"]
    people = group(seen, _known(batch.folder, manifest))
    _enrol(batch, people, manifest, workers)
    by_clip = {clip: person for person in people for clip in person.clips}
    ready = []
    for task, looked in zip(tasks, looks, strict=True):
        person = by_clip.get(task.source)
        file = None if person is None else batch.folder / person.name
        if file is None or not file.is_file():
            why = "its person could not be fitted"
            if person is None:
                why = str(manifest.line(looked)["error"])
            manifest.note(task, lost(why), 1)
            continue
        beside = Path(task.output or "").parent / file.name
        if beside != file and not beside.is_file():
            shutil.copyfile(file, beside)
        # that it is them is known, better than by the picture of a fit
        settings = {name: v for name, v in task.settings.items() if name != "tune"}
        settings["any_face"] = True
        ready.append(Task("encode", {**task.files, "identity": str(file)}, task.output, settings))
    return ready


def _enrol(batch: Batch, people: Sequence[Person], manifest: Manifest, workers: _Workers) -> None:
    """Fit every person whose file is not there, out of their best clip; if that fails, the next."""
    names = ("model", "preset", "device", "max_frames", "tune")
    settings = {name: batch.settings[name] for name in names if name in batch.settings}
    for attempt in range(MOST_TRIED):
        tasks = []
        for person in people:
            clips = person.best()
            if not (batch.folder / person.name).is_file() and attempt < len(clips):
                note = {"embedding": np.round(person.embedding, 5).tolist()}
                files = {SOURCE: clips[attempt], **batch.files}
                output = str(batch.folder / person.name)
                tasks.append(Task("enrol", files, output, settings, note=note))
        if tasks:
            workers.run(tasks)


def _known(folder: Path, manifest: Manifest) -> list[Person]:
    """Return the people whose files are there."""
    people = []
    for (verb, output), line in manifest.lines.items():
        if verb == "enrol" and line["state"] == "done" and (folder / Path(output).name).is_file():
            number = int(Path(output).stem.rpartition("-")[2])
            row = np.asarray(line["result"]["embedding"], float)
            people.append(Person(number, row, known=True))
    return sorted(people, key=lambda person: person.number)
