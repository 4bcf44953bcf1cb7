"""Tables of controls, or of blendshapes: CSV, JSON and NumPy files.

They are written exactly and read with suspicion.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from facecodec.arguments import opened_input
from facecodec.editing.motion import StreamMotion
from facecodec.errors import UsageError
from facecodec.rig import blendshapes
from facecodec.rig.blendshapes import Blendshapes
from facecodec.rig.choice import controls_of
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.types import Controls

KINDS = (".csv", ".json", ".npz")
# Columns of a CSV file, and keys of the others, that are told and not read back: times and flags
# stay the stream's.
TOLD = ("time", "pts", "flags", "time_base", "titles", "regions", "about")
FRAME = "frame"  # the column, and key, of the number of each row's frame, from 0
EXACT = "%.9g"  # digits that bring a float32 back bit for bit (IEEE 754-2008, section 5.12.2)
MAX_BYTES = 1 << 29  # of a table, unpacked: hours of motion
ABOUT = "controls of a facecodec stream, in standard deviations over the generator's faces"
ABOUT_SHAPES = "blendshapes of a facecodec stream, 0 to 1, by a linear map of its controls"
# Columns beside blendshapes that face trackers write, and that are not read: the pose of head and
# eyes in angles, and a clock of their own.
TRACKERS = frozenset(
    ["timecode", "blendshapecount"]
    + [of + axis for of in ("head", "lefteye", "righteye") for axis in ("yaw", "pitch", "roll")]
)


@dataclass(frozen=True)
class Table:
    """Controls out of a file.

    numbers: of the controls that are there, from 0. values: float32 [N, len(numbers)], finite.
    frames: int64 [N], rising, the number of each row's frame; None for every frame in order.
    """

    name: str
    numbers: list[int]
    values: Controls
    frames: NDArray[np.int64] | None

    def rows(self, count: int) -> NDArray[np.int64]:
        """Return the numbers of the frames, int64 [N], of a stream that has `count`.

        Raises UsageError for a table that has others.
        """
        if self.frames is None:
            if len(self.values) != count:
                raise UsageError(
                    f"{self.name}: has {len(self.values)} rows and the stream {count} frames; "
                    f"a column {FRAME!r} would say which they are"
                )
            return np.arange(count)
        if len(self.frames) and not self.frames[-1] < count:
            raise UsageError(
                f"{self.name}: has frame {self.frames[-1]}, the stream has frames 0 to {count - 1}"
            )
        return self.frames


def kind_of(path: str | Path) -> str:
    """Return the kind of a table by its name: .csv, .json or .npz; '-' is CSV.

    Raises UsageError for another ending.
    """
    kind = ".csv" if str(path) == "-" else Path(path).suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"{path}: a table of controls ends in {', '.join(KINDS)}")
    return kind


@dataclass(frozen=True)
class Columns:
    """What a table holds of each frame: float32 [T, N] under N names, titles and regions."""

    about: str
    names: Sequence[str]
    titles: Sequence[str]
    regions: Sequence[str]
    values: Controls

    @classmethod
    def controls(cls, motion: StreamMotion, rig: Rig) -> Columns:
        """Return the controls of a motion."""
        return cls(ABOUT, rig.names, rig.shown_titles, rig.regions, motion.controls)

    @classmethod
    def blendshapes(cls, motion: StreamMotion, rig: Rig) -> Columns:
        """Return the 52 blendshapes of a motion. Raises UsageError for a rig without a map."""
        shapes = Blendshapes.of_rig(rig).of(motion.controls).astype(np.float32)
        names = blendshapes.NAMES
        return cls(ABOUT_SHAPES, names, names, ["blendshape"] * len(names), shapes)


def write_table(file: BinaryIO, kind: str, motion: StreamMotion, columns: Columns) -> None:
    """Write motion as a table that gives every control back bit for bit.

    kind: .csv, .json or .npz. CSV has a row a frame: its number, its time in seconds and in units
    of the stream's time base, its flags, and a column for each control under its title.
    """
    {".csv": _write_csv, ".json": _write_json, ".npz": _write_npz}[kind](file, motion, columns)


def _write_csv(file: BinaryIO, motion: StreamMotion, columns: Columns) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([FRAME, "time", "pts", "flags", *columns.titles])
    line = "%d,%.6f,%d,%d" + f",{EXACT}" * columns.values.shape[1] + "\n"
    clock = motion.times.tolist(), motion.pts.tolist(), motion.flags.tolist()
    for number, told in enumerate(zip(*clock, strict=True)):
        text.write(line % (number, *told, *columns.values[number].tolist()))
    file.write(text.getvalue().encode())


def _write_json(file: BinaryIO, motion: StreamMotion, columns: Columns) -> None:
    line = "[" + ", ".join([EXACT] * columns.values.shape[1]) + "]"
    told = {
        "about": columns.about,
        "time_base": [motion.time_base.numerator, motion.time_base.denominator],
        "names": columns.names,
        "titles": columns.titles,
        "regions": columns.regions,
        FRAME: list(range(len(motion.pts))),
        "pts": motion.pts.tolist(),
        "flags": motion.flags.tolist(),
    }
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in told.items()]
    rows = ",\n".join(line % tuple(row) for row in columns.values.tolist())
    parts.append(f'"controls": [\n{rows}\n]')
    file.write(("{\n" + ",\n".join(parts) + "\n}\n").encode())


def _write_npz(file: BinaryIO, motion: StreamMotion, columns: Columns) -> None:
    packed = io.BytesIO()  # the archive is written with seeks, which a pipe has not
    np.savez(
        packed,
        time_base=np.array([motion.time_base.numerator, motion.time_base.denominator]),
        names=np.array(columns.names),
        titles=np.array(columns.titles),
        regions=np.array(columns.regions),
        frame=np.arange(len(motion.pts)),
        pts=motion.pts,
        flags=motion.flags,
        controls=columns.values,
    )
    file.write(packed.getvalue())


def read_table(path: str | Path, rig: Rig) -> Table:
    """Read a table of a rig's controls, or of blendshapes, which become controls but for the pose.

    Blendshapes that a table does not have are 0. Raises UsageError for a file that is missing, is
    no table, names a control that the rig does not have or one twice, or holds what is not a finite
    number.
    """
    kind = kind_of(path)
    with opened_input(path, "a table of controls") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path}: is larger than {MAX_BYTES} bytes")
    try:
        read = {".csv": _read_csv, ".json": _read_json, ".npz": _read_npz}[kind]
        names, values, frames = read(data)
        known = _shapes(names)
        numbers = known if known is not None else [_one(rig, name) for name in names]
        if len({*numbers}) != len(numbers):
            raise UsageError("names a control twice")
        if values.ndim != 2 or values.shape[1] != len(numbers) or not numbers:
            raise UsageError(f"needs [frames, {len(numbers)}] controls, has {list(values.shape)}")
        exact, rising = _as_float32(values), _rising(frames, len(values))
        if known is not None:
            numbers, exact = _from_shapes(rig, known, exact)
        return Table(str(path), numbers, exact, rising)
    except (UsageError, ValueError, TypeError, KeyError, RecursionError, zipfile.BadZipFile,
            EOFError, OverflowError, csv.Error) as error:  # fmt: skip
        why = error if isinstance(error, UsageError) else f"is no table of controls ({error})"
        raise UsageError(f"{path}: {why}") from error


Parts = tuple[Sequence[str], NDArray[Any], "NDArray[Any] | None"]  # names, values, frames


def _read_csv(data: bytes) -> Parts:
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    head = [name.strip() for name in next(rows, [])]
    kept = [i for i, name in enumerate(head) if name.casefold() not in (FRAME, *TOLD, *TRACKERS)]
    numbered = [i for i, name in enumerate(head) if name.casefold() == FRAME]
    values, frames = [], []
    for row in rows:
        if not row:
            continue
        if len(row) != len(head):
            raise UsageError(f"line {rows.line_num} has {len(row)} cells, the first {len(head)}")
        values.append([float(row[i]) for i in kept])
        frames += [int(row[i]) for i in numbered[:1]]
    return (
        [head[i] for i in kept],
        np.array(values).reshape(len(values), len(kept)),
        np.array(frames) if numbered else None,
    )


def _read_json(data: bytes) -> Parts:
    told = json.loads(data, parse_int=float)  # as an int, -0 would lose its sign
    if not isinstance(told, dict):
        raise TypeError("its outermost value is no object")
    frames = told.get(FRAME)
    values = np.array(told["controls"], np.float64)
    return told["names"], values, None if frames is None else np.array(frames)


def _read_npz(data: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
            raise UsageError(f"unpacks to more than {MAX_BYTES} bytes")
    with np.load(io.BytesIO(data), allow_pickle=False) as told:
        frames = told.get(FRAME)
        return [str(name) for name in told["names"].ravel()], told["controls"], frames


def _shapes(names: Sequence[object]) -> list[int] | None:
    """Return the numbers of blendshapes by their names, in any case; None where not all are."""
    places = {name.casefold(): number for number, name in enumerate(blendshapes.NAMES)}
    numbers = [places.get(name.strip().casefold()) for name in names if isinstance(name, str)]
    found = [number for number in numbers if number is not None]
    return found if found and len(found) == len(names) else None


def _from_shapes(rig: Rig, numbers: list[int], values: Controls) -> tuple[list[int], Controls]:
    """Return the numbers of controls, and controls [N, K - 3], of some blendshapes [N, M]."""
    shapes = np.zeros((len(values), blendshapes.NUM_SHAPES))
    shapes[:, numbers] = values
    moved = Blendshapes.of_rig(rig).controls(shapes)
    return list(range(NUM_POSE, moved.shape[1])), moved[:, NUM_POSE:]


def _one(rig: Rig, name: object) -> int:
    """Return the number of the control called `name`. Raises UsageError where that is not one."""
    if not isinstance(name, str):
        raise UsageError(f"{name!r} is no name of a control")
    numbers = controls_of(rig, name)
    if len(numbers) != 1 or name.strip().casefold() in rig.regions:
        raise UsageError(f"{name!r} is no single control")
    return numbers[0]


def _as_float32(values: NDArray[Any]) -> Controls:
    """Return values as float32. Raises UsageError for what is not a finite number in it."""
    with np.errstate(over="ignore"):
        exact = values.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(exact))
    if len(wrong):
        raise UsageError(f"row {wrong[0][0] + 1} holds what is no finite number")
    return exact


def _rising(frames: Iterable[Any] | None, count: int) -> NDArray[np.int64] | None:
    """Return numbers of frames as int64 [count]. Raises UsageError unless they rise from 0 on."""
    if frames is None:
        return None
    given = np.asarray(frames, np.float64)
    numbers = given.astype(np.int64)
    if given.shape != (count,) or (numbers != given).any():
        raise UsageError(f"needs a whole number of a frame for each of {count} rows")
    if count and (numbers[0] < 0 or (np.diff(numbers) <= 0).any()):
        raise UsageError("numbers of frames must rise from 0 on")
    return numbers
