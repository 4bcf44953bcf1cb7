"""The local store: models installed once in the user's cache, verified whenever they are loaded.

Each model is one file, `NAME.safetensors` or `NAME.dat`, with `NAME.json`, its record, beside it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from facecodec.atomic import written_whole
from facecodec.errors import MissingModelError, ModelError, UsageError
from facecodec.temporary import sweep
from facecodec.weights.catalogue import CATALOGUE, DEFAULT_GENERATOR
from facecodec.weights.identity import tensor_sha256, unchanged_file_sha256

if TYPE_CHECKING:
    from facecodec.generator.base import Generator

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Record:
    """What the store knows of one installed model; the JSON beside it.

    `sha256` is the identity of a generator's tensors, or the hash of any other model's file;
    `file_sha256` is always the hash of `file`. `source` says where it came from, in words.
    """

    name: str
    kind: str
    file: str
    bytes: int
    sha256: str
    file_sha256: str
    source: str
    licence: str
    architecture: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


_TYPES: dict[str, type] = {f.name: str for f in fields(Record)} | {"bytes": int, "facts": dict}


def home() -> Path:
    """Return the folder of the project's cache; it need not exist yet.

    FACECODEC_HOME, else XDG_CACHE_HOME/facecodec, else ~/.cache/facecodec. A relative
    XDG_CACHE_HOME is ignored, as its specification says. Raises ModelError where there is none.
    """
    if chosen := os.environ.get("FACECODEC_HOME"):
        return Path(chosen).absolute()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if Path(cache).is_absolute():
        return Path(cache) / "facecodec"
    try:
        return Path.home() / ".cache" / "facecodec"
    except RuntimeError as error:
        raise ModelError(
            "there is no home folder to keep models in; set FACECODEC_HOME to a folder"
        ) from error


def models_folder() -> Path:
    """Return the folder the models lie in; it need not exist yet."""
    return home() / "models"


def check_name(name: str) -> str:
    """Return `name` if it may name a model, or raise UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no model name: use a-z, 0-9, '.', '_', '-', at most 64")
    return name


def how_to_install(name: str) -> str:
    """Return the command that brings the model `name`."""
    if name in CATALOGUE:
        return f"facecodec model install {name}"
    return f"facecodec model import FILE, with the name {name}"


def installed() -> list[str]:
    """Return the names of the installed models, sorted; those with damaged records included.

    Whatever else lies in the folder (notes, unfinished files) is no model.
    """
    if not models_folder().is_dir():
        return []
    paths = models_folder().glob("*.json")
    return sorted(p.stem for p in paths if _NAME.fullmatch(p.stem) and p.is_file())


def readable_records() -> list[Record]:
    """Return the records of the installed models, warning of each that cannot be read."""
    records = []
    for name in installed():
        try:
            records.append(read_record(name))
        except ModelError as error:
            _warn(str(error))
    return records


@functools.cache
def _warn(message: str) -> None:
    """Say something on standard error, once a process."""
    print(f"facecodec: {message}", file=sys.stderr, flush=True)


def read_record(name: str) -> Record:
    """Return the record of an installed model. Raises ModelError when there is none."""
    path = models_folder() / f"{check_name(name)}.json"
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
        record = Record(**{f.name: loaded[f.name] for f in fields(Record)})
        if not all(isinstance(value, _TYPES[key]) for key, value in vars(record).items()):
            raise TypeError("a field of another type")
    except FileNotFoundError as error:
        message = f"{name} is not installed{lost_home()}; run: {how_to_install(name)}"
        raise _missing(message, [name]) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged; run: {how_to_install(name)}") from error
    if record.file != Path(record.file).name:
        raise ModelError(f"{path} names a file outside the store; run: {how_to_install(name)}")
    return record


def require(*names: str) -> None:
    """Raise ModelError unless all these models are installed: one line, one command for all."""
    there = installed()
    missing = [name for name in dict.fromkeys(names) if check_name(name) not in there]
    if len(missing) == 1:
        read_record(missing[0])
    if missing:
        ours = [name for name in missing if name in CATALOGUE]
        others = [how_to_install(name) for name in missing if name not in CATALOGUE]
        commands = [f"facecodec model install {' '.join(ours)}"] if ours else []
        message = f"{', '.join(missing)} are not installed{lost_home()}; "
        raise _missing(message + f"run: {', and '.join(commands + others)}", missing)


def _missing(message: str, names: Sequence[str]) -> ModelError:
    """Return the error that says so; one that can be made good where all can be installed."""
    if all(name in CATALOGUE for name in names):
        return MissingModelError(message, names)
    return ModelError(message)


def lost_home() -> str:
    """Return, in brackets, that FACECODEC_HOME names a folder that is not there."""
    if not os.environ.get("FACECODEC_HOME") or home().is_dir():
        return ""
    return f" (FACECODEC_HOME names {home()}, which is not there)"


def write_record(record: Record) -> None:
    """Put a record beside its model, whole or not at all."""
    text = json.dumps(asdict(record), indent=2) + "\n"
    write_file(f"{record.name}.json", text.encode())


def write_file(name: str, data: bytes) -> Path:
    """Put a file into the store, whole or not at all, and return its path.

    Raises ModelError when the store cannot be written to.
    """
    path = models_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with written_whole(path, keep_mode=False) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        why = error.strerror or error
        raise ModelError(f"{path}: cannot be written ({why}); {_where_home_is_set()}") from error
    except UsageError as error:
        raise ModelError(f"{error}; {_where_home_is_set()}") from error
    return path


def _where_home_is_set() -> str:
    return "FACECODEC_HOME names the folder that models are kept in"


def verify(name: str) -> Record:
    """Check the file of an installed model against its record and return the record.

    Raises ModelError when the model is missing or differs by a single bit.
    """
    record = read_record(name)
    path = models_folder() / record.file
    if name in CATALOGUE and record.sha256 != CATALOGUE[name].sha256:
        raise ModelError(f"{path} is not the catalogue's {name}; run: {how_to_install(name)}")
    if not path.is_file():
        raise ModelError(f"{path} is missing; run: {how_to_install(name)}")
    if unchanged_file_sha256(path) != record.file_sha256:
        raise ModelError(f"{path} is damaged (its SHA-256 changed); run: {how_to_install(name)}")
    return record


def model_path(name: str) -> Path:
    """Return the verified file of an installed model.

    Raises ModelError naming the command that installs it.
    """
    return models_folder() / verify(name).file


def load_tensors(name: str, mapped: bool = False) -> tuple[dict[str, np.ndarray], Record]:
    """Return the tensors of an installed generator and its record, both hashes checked.

    mapped: they lie in the pages of their file, which the processes of a machine share as long as
    they only read; that takes torch.
    Raises UsageError for a model that is no generator, ModelError for a file that is damaged or not
    the one on record.
    """
    record = verify(name)
    if record.kind != "generator":
        raise UsageError(f"{name} is no generator; facecodec model list shows which models are")
    try:
        path = models_folder() / record.file
        tensors = _mapped(path) if mapped else load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{record.file} is damaged; run: {how_to_install(name)}") from error
    if tensor_sha256(tensors) != record.sha256:
        raise ModelError(f"{record.file} is not the {name} on record; run: {how_to_install(name)}")
    return tensors, record


def _mapped(path: Path) -> dict[str, np.ndarray]:
    from safetensors.torch import load_file as load_mapped

    return {name: tensor.numpy() for name, tensor in load_mapped(path).items()}


def load_generator(name: str = DEFAULT_GENERATOR) -> Generator:
    """Return an installed generator, ready to render, its weights verified.

    Raises ModelError when it is missing (naming the command that installs it) or damaged.
    """
    tensors, record = load_tensors(name, mapped=True)
    return build(record.architecture, tensors, name, record.sha256)


def build(
    architecture: str, tensors: Mapping[str, np.ndarray], name: str, sha256: str
) -> Generator:
    """Build the network `architecture` from its tensors. Raises ModelError when they do not fit."""
    # Imported here because torch takes seconds to load and most of the store needs none of it.
    from facecodec.generator.mobilestylegan import MobileStyleGAN
    from facecodec.generator.stylegan2 import StyleGAN2

    architectures: dict[str, Any] = {"mobilestylegan": MobileStyleGAN, "stylegan2": StyleGAN2}
    if architecture not in architectures:
        raise ModelError(f"{name}: unknown architecture {architecture!r}")
    generator: Generator = architectures[architecture].from_tensors(tensors, name, sha256)
    return generator.eval().requires_grad_(False)


def save_generator(
    tensors: Mapping[str, np.ndarray],
    *,
    name: str,
    architecture: str,
    source: str,
    licence: str,
    facts: dict[str, Any] | None = None,
) -> Record:
    """Write a generator's float32 tensors and its record into the store."""
    arrays = {key: np.asarray(value, order="C") for key, value in tensors.items()}
    data = save(arrays, metadata={"architecture": architecture})
    path = write_file(f"{check_name(name)}.safetensors", data)
    record = Record(
        name=name,
        kind="generator",
        file=path.name,
        bytes=len(data),
        sha256=tensor_sha256(arrays),
        file_sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        licence=licence,
        architecture=architecture,
        facts=facts or {},
    )
    write_record(record)
    return record
