"""Two motions on one clock: the frames of a source that goes on moving, and its driver's beside."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import AudioPacket, FrameRecord, StreamHeader
from facecodec.bitstream.audio import AudioParameters
from facecodec.errors import UsageError
from facecodec.types import Controls, Floats

BEYOND = ("hold", "loop", "stop")  # what there is beyond the end of the shorter one
MAX_FRAMES = 1 << 20  # of a puppet, however long one side is


@dataclass(frozen=True)
class Timeline:
    """The frames of a puppet whose source goes on moving: the source's, and more like them.

    pts: int64 [T], in the source's time base. source: int64 [T], the number of the source's frame.
    driver: float64 [T], the place among the driver's frames, between two of them.
    """

    pts: NDArray[np.int64]
    source: NDArray[np.int64]
    driver: Floats

    def driven(self, rows: Controls | Floats) -> Floats:
        """Return rows of the driver's frames, [N, ...], at the times of the timeline, [T, ...].

        Between two frames they lie on a line. NaN where a frame beside is.
        """
        before = np.floor(self.driver).astype(int)
        share = (self.driver - before)[:, None]
        after = np.minimum(before + 1, len(rows) - 1)
        mixed = rows[before] * (1 - share) + rows[after] * share
        result: Floats = np.where(share == 0, rows[before], mixed)
        return result

    def frames(self, source: list[FrameRecord]) -> list[FrameRecord]:
        """Return a frame for each of the timeline, with the source's own controls and placement."""
        pairs = zip(self.pts.tolist(), self.source.tolist(), strict=True)
        return [replace(source[i], index=n, pts=pts) for n, (pts, i) in enumerate(pairs)]


def lay_out(
    source: tuple[StreamHeader, list[int]], driver: tuple[StreamHeader, list[int]], beyond: str
) -> Timeline:
    """Return the timeline of a source and a driver, each a header and its frames' pts.

    Both begin at once. beyond: what there is beyond the end of the shorter one: it holds its last
    frame, begins again, or both stop.
    """
    check_beyond(beyond)
    times, length = _clock(*source)
    driver_times, driver_length = _clock(*driver)
    end = min(length, driver_length) if beyond == "stop" else max(length, driver_length)
    header, pts = source
    step = max(round((length - times[-1]) / header.time_base), 1)
    number = np.arange(len(pts))
    if end > length:
        count = int(-(-(end - length) // (step * header.time_base)))
        if count > MAX_FRAMES:
            raise UsageError(f"the puppet would have more than {MAX_FRAMES} frames")
        more = [pts[-1] + step * i for i in range(1, count + 1)]
        place = [len(pts) - 1] * count
        if beyond == "loop":
            again = [(p - pts[0]) * header.time_base % length for p in more]
            place = [bisect_right(times, time) - 1 for time in again]
        pts, number = [*pts, *more], np.concatenate([number, place])
    kept = [i for i, p in enumerate(pts) if (p - pts[0]) * header.time_base < end]
    clock = [(pts[i] - pts[0]) * header.time_base for i in kept]
    if beyond == "loop":
        clock = [time % driver_length for time in clock]
    places = np.interp(
        [float(time) for time in clock],
        [float(time) for time in driver_times],
        np.arange(len(driver_times)),
    )
    return Timeline(np.array([pts[i] for i in kept], np.int64), number[kept], places)


def check_beyond(beyond: str) -> None:
    """Raise UsageError unless `beyond` is one of `BEYOND`."""
    if beyond not in BEYOND:
        raise UsageError(f"beyond {beyond!r}: there are {', '.join(BEYOND)}", argument="beyond")


def _clock(header: StreamHeader, pts: list[int]) -> tuple[list[Fraction], Fraction]:
    """Return the times of frames in seconds from the first, and how long they last."""
    times = [(p - pts[0]) * header.time_base for p in pts]
    if header.frame_rate:
        step = 1 / header.frame_rate
    else:
        step = times[-1] / (len(times) - 1) if len(times) > 1 else header.time_base
    return times, times[-1] + step


def with_sound(
    frames: list[FrameRecord],
    header: StreamHeader,
    packets: list[AudioPacket],
    sound: tuple[AudioParameters, Fraction] | None,
) -> Iterator[FrameRecord | AudioPacket]:
    """Yield frames of a stream, and between them the packets of a sound that begins with them.

    sound: its parameters, and the second of its own clock that is the first frame's. Packets that
    begin behind the last frame's end are left out.
    """
    base = header.time_base
    first = frames[0].pts * base
    step = 1 / header.frame_rate if header.frame_rate else Fraction(0)
    waiting: list[AudioPacket] = []
    if sound is not None:
        parameters, begin = sound
        shift = round((first - begin) / parameters.time_base)
        end = frames[-1].pts * base + step
        moved = [replace(p, pts=p.pts + shift, dts=p.dts + shift) for p in packets]
        waiting = [p for p in moved if first <= p.pts * parameters.time_base < end]
    place = 0
    for frame in frames:
        while sound and place < len(waiting):
            if waiting[place].pts * sound[0].time_base > frame.pts * base:
                break
            yield waiting[place]
            place += 1
        yield frame
    yield from waiting[place:]
