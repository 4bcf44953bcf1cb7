"""A stream opened for reading, looking at and editing: `facecodec.open`."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from facecodec.arguments import is_pipe
from facecodec.atomic import refuse_overwrite
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags, FrameRecord, StreamReader, open_stream
from facecodec.decoding.notes import edited
from facecodec.decoding.rewrite import copy_beginning, with_controls, write_items
from facecodec.errors import StreamError, UsageError
from facecodec.face.alignment import Alignment
from facecodec.models import Device
from facecodec.seconds import Time, between
from facecodec.types import Controls, Floats, Picture


@dataclass(frozen=True, eq=False)
class StreamFrame:
    """One frame of a stream.

    index: its number, from 0. pts: its exact time, in units of `time_base` seconds. controls:
    float32 [K], in standard deviations over the generator's faces. placement: where the face
    square was in the source's frame, in pixels; None where that is not known. flags: NO_FACE,
    LOW_CONFIDENCE. recovered: damage took the frame, and these values stand in for it.
    """

    index: int
    pts: int
    time_base: Fraction
    controls: Controls
    placement: Alignment | None
    flags: FrameFlags
    recovered: bool

    @property
    def time(self) -> float:
        """Return the time of the frame in seconds."""
        return float(self.pts * self.time_base)


class Stream:
    """A `.fcv` file: its frames, and the person who makes these faces.

        stream = facecodec.open("talk.fcv")
        print(len(stream), stream.fps, stream.duration, stream[10].controls)
        picture = stream.render(10)

    Iterating yields every `StreamFrame` in order. The generator is loaded when the person is first
    asked for. `reader` is the `StreamReader` beneath, which also gives audio and damage.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        identity: str | Path | None = None,
        rig: str | Path | None = None,
        device: Device = "auto",
    ) -> None:
        """Open a `.fcv` file.

        identity: the `.fci` file that a stream may refer to; without it, the right one is looked
        for beside the stream. rig: a rig file, for a generator without its own. device: 'auto',
        'cpu', 'cuda' or a `torch.device`, where pictures are drawn.
        Raises UsageError when the file is missing or is a pipe, StreamError when it is no stream.
        """
        once = f"{path}: a pipe can be read only once; use open_stream"
        if is_pipe(path):  # opening it would wait for a writer
            raise UsageError(once)
        self.reader: StreamReader = open_stream(path)
        if not self.reader.seekable:
            raise UsageError(once)
        self._identity, self._rig, self._device = identity, rig, device

    def close(self) -> None:
        """Close the file; a stream may also be opened with `with`."""
        self.reader.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Return the path of the file."""
        return self.reader.name

    @cached_property
    def avatar(self) -> Avatar:
        """Return the person of the stream. Raises what `Avatar.from_stream` raises."""
        return Avatar.from_stream(self.reader, self._identity, rig=self._rig, device=self._device)

    @property
    def identity(self) -> NDArray[np.float32]:
        """Return the person's identity latent, float32 [num_ws, w_dim]; loads the generator."""
        return self.avatar.latent

    @property
    def num_controls(self) -> int:
        """Return K, the number of controls of a frame."""
        return self.reader.header.num_controls

    @property
    def fps(self) -> float | None:
        """Return the mean number of frames a second, None where it is not known."""
        rate = self.reader.header.frame_rate
        return None if rate is None else float(rate)

    @property
    def duration(self) -> float:
        """Return the length in seconds, the time that the last frame stays included."""
        if not len(self):
            return 0.0
        header = self.reader.header
        first, last = self[0], self[-1]
        step = 1 / header.frame_rate if header.frame_rate else Fraction(0)
        return float((last.pts - first.pts) * header.time_base + step)

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.reader.index().frames

    def __repr__(self) -> str:
        return f"Stream({self.name!r}): {len(self)} frames of {self.num_controls} controls"

    def __iter__(self) -> Iterator[StreamFrame]:
        return self.frames()

    def frames(self, start: Time | None = None, end: Time | None = None) -> Iterator[StreamFrame]:
        """Yield the frames with start <= time < end, in seconds (12.5, "1:30" or a Fraction)."""
        for record in self.reader.frames(*between(start, end)):
            yield self._frame(record)

    @overload
    def __getitem__(self, index: int) -> StreamFrame: ...
    @overload
    def __getitem__(self, index: slice) -> list[StreamFrame]: ...
    def __getitem__(self, index: int | slice) -> StreamFrame | list[StreamFrame]:
        """Return a frame by its number, or several; negative numbers count from the end.

        Raises IndexError for a frame that there is not, TypeError for what is no whole number.
        """
        if isinstance(index, slice):
            wanted = range(*index.indices(len(self)))
            if not wanted:
                return []
            known = {frame.index: frame for frame in self._between(min(wanted), max(wanted))}
            return [known[i] for i in wanted]
        number = operator.index(index)
        number = number + len(self) if number < 0 else number
        if not 0 <= number < len(self):
            raise IndexError(f"{self.name}: has frames 0 to {len(self) - 1}, not {index}")
        return next(self._between(number, number))

    def _between(self, first: int, last: int) -> Iterator[StreamFrame]:
        """Yield the frames from number `first` to `last`, read from the segment of `first` on."""
        expected = first
        entries = [entry for entry in self.reader.index().entries if entry.first <= first]
        start = entries[-1].pts * self.reader.header.time_base if entries else None
        for record in self.reader.frames(start):
            if record.index >= expected:
                if record.index > expected:
                    break
                yield self._frame(record)
                expected += 1
                if record.index == last:
                    return
        raise StreamError(f"{self.name}: frame {expected} is lost to damage")

    @property
    def times(self) -> Floats:
        """Return the times of all frames in seconds, float64 [T]."""
        return np.array([frame.time for frame in self])

    @property
    def controls(self) -> Controls:
        """Return the controls of all frames, float32 [T, K]; a copy, free to be edited."""
        rows = [frame.controls for frame in self]
        return np.stack(rows) if rows else np.zeros((0, self.num_controls), np.float32)

    def render(self, index: int, size: int | None = None) -> Picture:
        """Draw one frame, as `facecodec.decode` does: uint8 RGB [size, size, 3].

        index: a frame's number, from 0; negative ones count from the end. size: a side in pixels:
        the generator's resolution (when None), half or a quarter of it.
        Raises IndexError for a frame that there is not, UsageError for another size.
        """
        result: Picture = self.avatar.render(self[index].controls[None], size)[0]
        return result

    def pictures(
        self, size: int | None = None, start: Time | None = None, end: Time | None = None
    ) -> Iterator[tuple[StreamFrame, Picture]]:
        """Draw the frames with start <= time < end, one at a time: uint8 RGB [size, size, 3]."""
        for frame in self.frames(start, end):
            yield frame, self.avatar.render(frame.controls[None], size)[0]

    def write(self, path: str | Path, controls: Controls, *, force: bool = False) -> None:
        """Write this stream with other controls to a new `.fcv` file.

        controls: [N, K], finite; the N first frames are written, with their own times, placement,
        flags and audio, and the same person. Controls are quantised as this stream's are. The new
        stream says in its metadata that it was edited.
        force: overwrite `path`. Raises UsageError for controls of another shape or more rows than
        frames, or when `path` exists and `force` is not set.
        """
        rows = np.asarray(controls, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.num_controls or not 0 < len(rows) <= len(self):
            raise UsageError(
                f"controls are [N, {self.num_controls}], N at most {len(self)}, "
                f"not {list(rows.shape)}"
            )
        refuse_overwrite(path, force, [self.name])
        items = self.reader.items(audio=self.reader.audio is not None, context=True)
        begin = partial(copy_beginning, self.reader)
        header = edited(self.reader.header, ["controls written by a program"])
        write_items(path, header, begin, with_controls(items, rows))

    def _frame(self, record: FrameRecord) -> StreamFrame:
        placement = record.placement
        return StreamFrame(
            record.index,
            record.pts,
            self.reader.header.time_base,
            record.controls,
            None if placement is None else Alignment.from_array(placement),
            record.flags,
            record.recovered,
        )
