"""What an encode that is cut short leaves, so that the next one goes on: `OUTPUT.checkpoint/`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import dlib
import numpy as np
import torch

import cuda_ops
import facecodec
from facecodec import checkpoint
from facecodec.atomic import STANDARD_OUTPUT, opened_whole
from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.checkpoint import Checkpoint
from facecodec.encoding.person import Enrolment
from facecodec.errors import UsageError
from facecodec.lock import hold
from facecodec.models import FaceModel
from facecodec.version import __version__

SUFFIX = ".checkpoint"  # after a stream's name: the folder of what is kept
ABOUT = "about.json"  # in the folder: of which encode it is
PRIVATE = 0o700  # permissions: it shows what the person looks like
PACKAGES = tuple(Path(str(module.__file__)).parent for module in (facecodec, cuda_ops))
LIBRARIES = torch, np, av, dlib  # whose versions results may differ by

Person = tuple[Avatar, Enrolment]


@contextmanager
def resumable(
    output: Path, files: Mapping[str, object], settings: str, wanted: bool, beside: bool = False
) -> Iterator[None]:
    """While entered, the stages of an encode are kept beside its output, and gone on with.

    files: what is read, by name, None for what is not; `source` is what is encoded. settings: what
    the result depends on beside them. What is kept is of no use to an encode with others. Where the
    work ends well, it is removed. Nothing is kept unless it is `wanted`. beside: others that say so
    may be at work there at the same time.
    Raises UsageError for a source that cannot be read again, and where what lies there is of
    another encode or in use.
    """
    if not wanted:
        yield
        return
    source = files["source"]
    if not isinstance(source, str | Path) or not Path(source).is_file():
        raise UsageError("a checkpoint is of a video file: other sources cannot be read again")
    if str(output) == STANDARD_OUTPUT or (output.exists() and not output.is_file()):
        raise UsageError(f"{output}: a checkpoint is kept beside a file", argument="checkpoint")
    folder = output.with_name(output.name + SUFFIX)
    read = {name: _sha256(Path(str(path))) for name, path in files.items() if path is not None}
    about = {**read, "settings": settings, **_machine()}
    with _opened(folder, about, beside), checkpoint.keeping(Checkpoint(folder)):
        yield
    shutil.rmtree(folder, ignore_errors=True)


def kept_person(name: str, model: FaceModel, make: Callable[[], Person]) -> Person:
    """Return a person that was kept in the stage `name`, or else make and keep them."""
    made: list[Person] = []

    def state() -> checkpoint.State:
        avatar, enrolment = make()
        made.append((avatar, enrolment))
        packed = None if avatar.tuning is None else avatar.tuning.to_bytes()
        tuning = None if packed is None else np.frombuffer(packed, np.uint8)
        return {"latent": avatar.latent, "tuning": tuning, **vars(enrolment)}

    known = checkpoint.made_once(name, state)
    if made:
        return made[0]
    tuning = None
    if known["tuning"] is not None:
        data = known["tuning"].tobytes()
        tuning = Tuning.from_bytes(data, model.generator, len(model.rig.names))
    fields = ("neutral", "signals", "controls")
    enrolment = Enrolment(known["frame"], *(known[field] for field in fields))
    return Avatar(model, known["latent"], tuning), enrolment


@contextmanager
def _opened(folder: Path, about: dict[str, Any], beside: bool) -> Iterator[None]:
    """Make the folder of an encode, or take it up, and hold it."""
    try:
        folder.mkdir(PRIVATE, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror})") from error
    try:
        hold(handle, f"{folder}: another encode is at work on it", shared=beside)
        path = folder / ABOUT
        if path.exists():
            _refuse_another(path, about)
        else:
            with opened_whole(path) as file:
                file.write((json.dumps(about, indent=2) + "\n").encode())
        try:
            yield
        except BaseException as error:
            error.add_note(f"what was done is kept in {folder}; the same command goes on")
            raise
    finally:
        os.close(handle)


def _refuse_another(path: Path, about: dict[str, Any]) -> None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name, value in about.items() if kept.get(name) != value]
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is damaged; remove {path.parent}") from error
    if other:
        raise UsageError(
            f"{path.parent} is of an encode that differs in: {', '.join(other)}; "
            "give the same, or remove it"
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error


def _machine() -> dict[str, Any]:
    """Return what results may differ by: versions, and what computes."""
    kernels = ""
    with suppress(cuda_ops.KernelError):
        kernels = cuda_ops.describe("cuda" if torch.cuda.is_available() else "cpu")
        kernels = re.sub(r", \d+ threads", "", kernels)  # sums do not depend on how many
    libraries = ", ".join(f"{module.__name__} {module.__version__}" for module in LIBRARIES)
    return {
        "version": __version__, "code": _code(), "libraries": libraries, "kernels": kernels,
    }  # fmt: skip


def _code() -> str:
    """Return the SHA-256 of all files of the packages that compute: their code and their data.

    A version stays while its code is worked on. An encode that was begun by other code than goes on
    with it ends at what neither comes to alone.
    """
    digest = hashlib.sha256()
    for folder in PACKAGES:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(os.fsencode(path.relative_to(folder)) + _sha256(path).encode())
    return digest.hexdigest()
