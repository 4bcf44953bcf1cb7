"""A person out of a picture that somebody gives to the view, found while it goes on drawing.

The search is a process of its own: two in one process would share the buffers of the kernels.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from facecodec.errors import FacecodecError, UsageError

MAX_PICTURE_BYTES = 32 << 20
PRESET = "fast"
LEAST_REPORT_SECONDS = 0.1  # between two reports of progress


@dataclass(frozen=True)
class Search:
    """What a search needs: the files of the picture and of the person, generator, rig, device."""

    picture: Path
    person: Path
    model: str
    rig: Path | None
    device: str


@dataclass(frozen=True)
class Report:
    """How far a search is: a stage, what is done of how many; the person's file, or an error."""

    stage: str = "beginning"
    done: int = 0
    total: int | None = None
    person: Path | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Return whether nothing more will come."""
        return self.person is not None or self.error is not None


def find(search: Search, to: Connection) -> None:
    """Find the person of a picture and write their file, telling `to` how far it is."""
    from facecodec.encoding.enrol import enrol
    from facecodec.process import set_process_defaults

    set_process_defaults()
    told = 0.0

    def progress(stage: str, done: int, total: int | None) -> None:
        nonlocal told
        if time.monotonic() - told > LEAST_REPORT_SECONDS:
            told = time.monotonic()
            to.send(Report(stage, done, total))

    try:
        enrol(
            search.picture, search.person, model=search.model, rig=search.rig, preset=PRESET,
            device=search.device, prepare=False, progress=progress,
        )  # fmt: skip
        to.send(Report(person=search.person))
    except FacecodecError as error:
        to.send(Report(error=str(error).replace(f"{search.picture}: ", "")))


class Newcomers:
    """Searches for people in pictures, one at a time, into a folder."""

    run: Callable[..., Any] = multiprocessing.get_context("spawn").Process
    work: Callable[[Search, Connection], None] = staticmethod(find)

    def __init__(self, folder: Path, model: str, rig: Path | None, device: str) -> None:
        self.folder, self.model, self.rig, self.device = folder, model, rig, device
        self.count = 0
        self._report = Report(error="no picture was given")
        self._from: Connection | None = None
        self._worker: Any = None

    def begin(self, picture: bytes) -> None:
        """Begin to look for the person of a picture file.

        Raises UsageError while another one is looked for, and for no picture.
        """
        if not self.report().ended:
            raise UsageError("another picture is being looked at; wait for it")
        if not 0 < len(picture) <= MAX_PICTURE_BYTES:
            raise UsageError(f"a picture has up to {MAX_PICTURE_BYTES >> 20} MB")
        self.count += 1
        path = self.folder / f"picture-{self.count}"
        path.write_bytes(picture)
        search = Search(path, path.with_suffix(".fci"), self.model, self.rig, self.device)
        self._from, to = multiprocessing.Pipe(duplex=False)
        self._report = Report()
        self._worker = type(self).run(target=type(self).work, args=(search, to), daemon=True)
        self._worker.start()
        if self._worker.__class__.__module__ != "threading":
            to.close()  # so that a process that dies is noticed

    def report(self) -> Report:
        """Return how far the search is."""
        if self._from is None:
            return self._report
        with contextlib.suppress(EOFError, OSError):
            while not self._report.ended and self._from.poll():
                self._report = self._from.recv()
            if self._report.ended or self._worker.is_alive():
                return self._report
        if not self._report.ended:
            self._report = Report(error="the search ended before it found anybody")
        return self._report
