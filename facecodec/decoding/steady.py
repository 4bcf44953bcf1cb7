"""Still heads: a stream's frames without the tremble of tracking and quantising."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import FrameRecord
from facecodec.decoding.span import AnyItem
from facecodec.types import Floats

REACH = 5  # frames to either side that are looked at
SIGMA = 2.0  # frames, of the Gaussian over them
TREMBLE = 1.0  # standard deviations of a control: larger differences are rather motion
MOST_STEPS = 2  # of its quantiser, by which a placement is moved
ANGLE = 3  # the column of a placement that is an angle


def steadied(items: Iterator[AnyItem], steps: NDArray[np.float32]) -> Iterator[AnyItem]:
    """Yield a stream's items, with frames that move smoothly; all else as it comes.

    A placement is where the mean of its neighbours lies, within two of its steps: a quarter of a
    pixel shows, when a head that stands still crosses it again and again. A control is the mean of
    those neighbours that are near it (a bilateral filter: Tomasi and Manduchi 1998, ICCV): a
    tremble goes, and a blink stays nearly as deep as it is.
    steps [4]: of the stream's placements. Frames come `REACH` frames late.
    """
    held: deque[AnyItem] = deque()
    frames: list[FrameRecord] = []  # around the next one that goes on
    next_one = 0  # its place among them
    for item in items:
        held.append(item)
        if isinstance(item, FrameRecord):
            frames.append(item)
        while held and (not isinstance(held[0], FrameRecord) or len(frames) - next_one > REACH):
            first = held.popleft()
            if isinstance(first, FrameRecord):
                first = _steadied(frames, next_one, steps)
                next_one += 1
                if next_one > REACH:
                    del frames[0]
                    next_one -= 1
            yield first
    for item in held:
        if isinstance(item, FrameRecord):
            yield _steadied(frames, next_one, steps)
            next_one += 1
        else:
            yield item


def _steadied(frames: list[FrameRecord], own: int, steps: NDArray[np.float32]) -> FrameRecord:
    """Return frame number `own` of some neighbours, without its tremble."""
    frame = frames[own]
    near = frames[max(own - REACH, 0) : own + REACH + 1]
    near = [other for other in near if abs(other.index - frame.index) <= REACH]
    controls = frame.controls + _calmed(
        np.stack([other.controls for other in near]).astype(float) - frame.controls,
        _weights(near, frame),
    )
    placement = frame.placement
    if placement is not None:
        placed = [(other, other.placement) for other in near if other.placement is not None]
        off = np.stack([there for _, there in placed]).astype(float) - placement
        off[:, ANGLE] = (off[:, ANGLE] + np.pi) % (2 * np.pi) - np.pi
        weights = _weights([other for other, _ in placed], frame)
        most = MOST_STEPS * steps
        moved = np.clip(weights @ off / weights.sum(), -most, most)
        placement = (placement + moved).astype(np.float32)
    return replace(frame, controls=controls.astype(np.float32), placement=placement)


def _weights(near: list[FrameRecord], frame: FrameRecord) -> Floats:
    """Return how much each of some neighbours of a frame counts, [n]."""
    away = np.array([other.index - frame.index for other in near])
    weights: Floats = np.exp(-0.5 * (away / SIGMA) ** 2)
    return weights


def _calmed(off: Floats, weights: Floats) -> Floats:
    """Return the mean of differences from a frame [n, K], the large ones hardly counting, [K]."""
    shares = weights[:, None] * np.exp(-0.5 * (off / TREMBLE) ** 2)
    mean: Floats = (shares * off).sum(0) / shares.sum(0)
    return mean
