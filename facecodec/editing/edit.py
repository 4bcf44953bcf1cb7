"""Export and edit: a stream's motion to a table, and a stream again with its motion changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.bitstream import Damage, FrameRecord, StreamReader, open_stream
from facecodec.decoding.cut import no_frames
from facecodec.decoding.notes import edited
from facecodec.decoding.rewrite import Item, copy_beginning, with_controls, write_items
from facecodec.editing.edits import Edit, Replace
from facecodec.editing.motion import StreamMotion
from facecodec.editing.tables import Columns, kind_of, write_table
from facecodec.errors import StreamError, UsageError
from facecodec.rig.blendshapes import Blendshapes
from facecodec.rig.choice import rig_with
from facecodec.rig.rig import Rig


@dataclass(frozen=True)
class ExportSummary:
    """Frames that were written, controls or blendshapes of each, damage met in the stream."""

    frames: int
    controls: int
    damage: list[Damage]


@dataclass(frozen=True)
class EditSummary:
    """Frames and bytes of the new stream, what was done, damage met in the old stream."""

    frames: int
    bytes: int
    edits: list[str]
    damage: list[Damage]


def export(
    source: str | Path,
    output: str | Path,
    *,
    blendshapes: bool = False,
    rig: str | Path | None = None,
    force: bool = False,
) -> ExportSummary:
    """Write the controls of every frame of a stream as a table.

    source: a `.fcv` file; '-' is standard input. output: .csv, .json or .npz; '-' is CSV on
    standard output. blendshapes: the 52 of ARKit's names in place of the controls, by a linear map
    that is no more than near (`facecodec/rig/blendshapes.py`). rig: the rig's file, where it does
    not ship with this program. `edit` with `Replace` takes the table back: controls to the bit.
    Raises UsageError for another ending, for a rig without a map to blendshapes where these are
    wanted, or when `output` exists and `force` is not set;
    StreamError when the source is no stream, has no frame, or was made with another rig.
    """
    kind = kind_of(output)
    refuse_overwrite(output, force, [source, rig])
    stream = open_stream(source)
    known = _rig_of(stream, rig)
    if blendshapes:
        Blendshapes.of_rig(known)
    _, motion = _read(stream, audio=False)
    columns = (Columns.blendshapes if blendshapes else Columns.controls)(motion, known)
    with opened_whole(output) as file:
        write_table(file, kind, motion, columns)
    frames, controls = columns.values.shape
    return ExportSummary(frames, controls, list(stream.damage))


def edit(
    source: str | Path,
    output: str | Path,
    edits: Sequence[Edit],
    *,
    rig: str | Path | None = None,
    force: bool = False,
) -> EditSummary:
    """Write a stream again with its motion changed; nothing is encoded or drawn.

    source: a `.fcv` file; '-' is standard input. output: the new one; '-' is standard output.
    edits: what is done, in order: `Set`, `Gain`, `Smooth`, `Stabilise`, `Neutral`, `LookAtCamera`,
    `Replace` of `facecodec.editing.edits`, or others that do what `Edit` says. rig: the rig's file,
    where it does not ship with this program.
    Person, times, placement, flags and audio stay, and so does what the stream says of its past:
    the edits are added to it. Controls are stored as those of the source are.
    Raises UsageError for edits that cannot be done, or when `output` exists and `force` is not
    set; StreamError when the source is no stream, has no frame or was made with another rig.
    """
    tables = [change.path for change in edits if isinstance(change, Replace)]
    refuse_overwrite(output, force, [source, rig, *tables])
    if not edits:
        raise UsageError("no edit is asked for")
    stream = open_stream(source)
    known = _rig_of(stream, rig)
    for change in edits:
        change.check(known)
    items, motion = _read(stream, audio=True)
    for change in edits:
        motion = replace(motion, controls=change.applied(motion, known))
    notes = [change.note for change in edits]
    header = edited(stream.header, notes)
    begin = partial(copy_beginning, stream)
    rows = with_controls(iter(items), motion.controls)
    frames, _, size = write_items(output, header, begin, rows)
    return EditSummary(frames, size, notes, list(stream.damage))


@dataclass(frozen=True)
class ControlUse:
    """What one control does in a stream, in standard deviations over the generator's faces."""

    title: str
    name: str
    region: str
    mean: float
    deviation: float
    lowest: float
    highest: float


def list_controls(stream: StreamReader, rig: str | Path | None = None) -> list[ControlUse]:
    """Return a row for each control of a stream, whose frames are read.

    rig: the rig's file, where it does not ship with this program. Raises StreamError for a stream
    without a frame, and for one of another rig.
    """
    known = _rig_of(stream, rig)
    _, motion = _read(stream, audio=False)
    rows = motion.controls.astype(np.float64)
    numbers = np.stack([rows.mean(0), rows.std(0), rows.min(0), rows.max(0)], 1).tolist()
    words = zip(known.shown_titles, known.names, known.regions, strict=True)
    return [ControlUse(*who, *what) for who, what in zip(words, numbers, strict=True)]


def _rig_of(stream: StreamReader, path: str | Path | None) -> Rig:
    header = stream.header
    rig = rig_with(header.rig_sha256, stream.name, path)
    if len(rig.names) != header.num_controls:
        raise StreamError(
            f"{stream.name}: has {header.num_controls} controls, its rig {len(rig.names)}"
        )
    return rig


def _read(stream: StreamReader, audio: bool) -> tuple[list[Item], StreamMotion]:
    """Return the items of a stream and their motion. Raises StreamError where no frame is."""
    items = list(stream.items(audio=audio, context=True))
    frames = [item for item in items if isinstance(item, FrameRecord)]
    if not frames:
        raise no_frames(stream, None, None)
    return items, StreamMotion.of(stream.header, frames)
