"""Long work that can be gone on with: stages keep where they are, and begin there the next time.

Code that takes long asks for a `stage`. Without a checkpoint it is an empty one, which keeps
nothing. With one, entered by `keeping`, the stage is told what was kept of it, and keeps its state
every few seconds. The names of stages are counted, so that the third one called `descent` is the
third one the next time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from facecodec.atomic import opened_whole

KEEP_SECONDS = 10.0  # between two times that a stage keeps its state, where that takes little
MOST_SECONDS = 25.0  # between two times, where it takes long: it is to take a tenth of the work
KEEPING_SHARE = 0.1
SUFFIX = ".stage"  # of the file of a stage; what it appends lies in .rows beside it

# Numbers, texts, None, arrays and tensors, and lists and dictionaries of these. Tensors come back
# as arrays.
State = Any
Rows = NDArray[np.float64]


class Stage:
    """A stage that keeps nothing."""

    known: State = None  # what was kept of it, None where nothing was

    def due(self) -> bool:
        """Return whether it is time to keep the state."""
        return False

    def keep(self, state: State) -> None:
        """Keep the state."""

    def add(self, row: Rows) -> None:
        """Keep a row, float64 [N], which a later state counts; all of a stage are of one length."""

    def rows(self, count: int, length: int) -> Rows:
        """Return the first rows that were kept, float64 [count, length]."""
        return np.zeros((0, length))


class KeptStage(Stage):
    """A stage that keeps its state in a file, whole or not at all."""

    def __init__(self, path: Path) -> None:
        """`path` of its file, without a suffix."""
        self._state = path.with_name(path.name + SUFFIX)
        self._rows = path.with_name(path.name + ".rows")
        self._at, self._took = time.monotonic(), 0.0  # when it was kept last; what that took
        self._written = 0
        self._file: Any = None
        self.known = _read(self._state)

    def due(self) -> bool:
        """Return whether it is time to keep the state."""
        pause = min(self._took / KEEPING_SHARE, MOST_SECONDS)
        return time.monotonic() - self._at >= max(KEEP_SECONDS, pause)

    def keep(self, state: State) -> None:
        """Keep the state, and the rows that were added."""
        begin = time.monotonic()
        if self._file is not None:
            self._file.flush()
        with opened_whole(self._state) as file:
            file.write(packed(state))
        self._at = time.monotonic()
        self._took = self._at - begin

    def add(self, row: Rows) -> None:
        """Append a row to a file beside the state."""
        data = np.ascontiguousarray(row, np.float64).tobytes()
        if self._file is None:
            self._file = self._rows.open("ab")
            self._file.truncate(self._written)  # what no state counts is made again
        self._file.write(data)
        self._written += len(data)

    def rows(self, count: int, length: int) -> Rows:
        """Return the first rows that were kept; later ones are forgotten.

        Raises ValueError where there are fewer.
        """
        self._written = count * length * 8
        if not count:
            return np.zeros((0, length))
        with self._rows.open("rb") as file:
            data = file.read(self._written)
        if len(data) != self._written:
            raise ValueError(f"{self._rows}: fewer rows than were kept")
        return np.frombuffer(data, np.float64).reshape(count, length).copy()

    def close(self) -> None:
        """Close the file of rows."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Memory(Protocol):
    """What remembers earlier calls."""

    def state(self) -> State:
        """Return what it remembers."""

    def restore(self, state: State) -> None:
        """Remember what `state` returned."""


class Replay:
    """The results of calls, one after the other: those that a stage has kept are not made again.

    The calls are the same ones every time, and each takes less time than may be lost.
    """

    def __init__(self, kept: Stage, length: int, memory: Memory) -> None:
        """`memory` is what the calls change; it is put where the last one that was kept left it.

        length: of a result, float64 [length].
        """
        self._kept, self._memory, self._next = kept, memory, 0
        count = 0 if kept.known is None else int(kept.known["calls"])
        self._rows = kept.rows(count, length)
        if count:
            memory.restore(kept.known["memory"])

    def __call__(self, make: Callable[[], Rows]) -> Rows:
        """Return the next result, which `make` makes where it was not kept."""
        self._next += 1
        if self._next <= len(self._rows):
            known: Rows = self._rows[self._next - 1].copy()
            return known
        row = make()
        self._kept.add(row)
        if self._kept.due():
            self._kept.keep({"calls": self._next, "memory": self._memory.state()})
        return row


class Checkpoint:
    """The stages of one piece of work, in a folder."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there, and this work's own."""
        self._folder = folder
        self._counts: dict[str, int] = {}
        self._stages: list[KeptStage] = []
        self._scope = ""

    def stage(self, name: str) -> Stage:
        """Return the next stage of this name."""
        name = self._scope + name
        number = self._counts[name] = self._counts.get(name, 0) + 1
        stage = KeptStage(self._folder / f"{name}-{number}")
        self._stages.append(stage)
        return stage

    @contextmanager
    def parts(self, name: str) -> Iterator[None]:
        """While entered, stages are parts of this one, and count by themselves."""
        before, self._scope = self._scope, f"{self._scope}{name}."
        try:
            yield
        finally:
            self._scope = before

    def forget(self, name: str) -> None:
        """Remove what the parts of a stage have kept: it is done."""
        self.close()
        for path in self._folder.glob(f"{self._scope}{name}.*"):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close all files."""
        for stage in self._stages:
            stage.close()


_current: ContextVar[Checkpoint | None] = ContextVar("checkpoint", default=None)


@contextmanager
def keeping(checkpoint: Checkpoint | None) -> Iterator[None]:
    """While entered, stages keep their state in this checkpoint; in none where it is None."""
    token = _current.set(checkpoint)
    try:
        yield
    finally:
        _current.reset(token)
        if checkpoint is not None:
            checkpoint.close()


def stage(name: str) -> Stage:
    """Return the next stage of this name, an empty one where nothing is kept."""
    checkpoint = _current.get()
    return Stage() if checkpoint is None else checkpoint.stage(name)


def made_once(name: str, make: Callable[[], State]) -> State:
    """Return the state that a stage has kept, or else make and keep it.

    What is made may have stages of its own, which are removed when it is done.
    """
    checkpoint = _current.get()
    if checkpoint is None:
        return make()
    kept = checkpoint.stage(name)
    if kept.known is not None:
        return kept.known
    with checkpoint.parts(name):
        state = make()
    kept.keep(state)
    checkpoint.forget(name)
    return state


def packed(state: State) -> bytes:
    """Return a state as the bytes of a safetensors file, whose metadata is its shape in JSON."""
    arrays: dict[str, NDArray[Any]] = {}

    def plain(value: State) -> Any:
        if hasattr(value, "detach"):
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray):
            name = f"a{len(arrays)}"
            arrays[name] = np.ascontiguousarray(value)
            return {"array": name, "shape": list(value.shape)}
        if isinstance(value, dict):
            return {"items": [[plain(key), plain(item)] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value.item() if isinstance(value, np.generic) else value

    shape = json.dumps(plain(state))
    return save(arrays or {"none": np.zeros(1)}, metadata={"state": shape})


def unpacked(data: bytes) -> State:
    """Return the state that `packed` made bytes of; every array is its own.

    Raises ValueError for other bytes.
    """
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        shape = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["state"])
    except (SafetensorError, KeyError, RecursionError) as error:
        raise ValueError(f"no state: {error}") from error

    def whole(value: Any) -> State:
        if isinstance(value, list):
            return [whole(item) for item in value]
        if isinstance(value, dict):
            if "array" in value:
                return arrays[value["array"]].reshape(value["shape"]).copy()
            return {_key(whole(key)): whole(item) for key, item in value["items"]}
        return value

    return whole(shape)


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def _read(path: Path) -> State:
    try:
        return unpacked(path.read_bytes())
    except (OSError, ValueError):
        return None
