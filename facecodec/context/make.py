"""Make the context of a clip: choose a plate, paint the face's place over, code the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import ContextPictures, ContextPlate
from facecodec.bitstream.limits import MAX_CONTEXT
from facecodec.context.av1 import CODEC, CODEC_WITH_FACE, QUANTISERS, encode_after
from facecodec.context.fill import continued, face_place, plate_of
from facecodec.context.plan import ContextPlan
from facecodec.face.alignment import Alignment
from facecodec.progress import Progress
from facecodec.types import Flags, Picture
from facecodec.video.colour import scaled
from facecodec.video.reader import Frame

SAMPLED_SEGMENTS = 12  # of a long clip, by which the quantiser is chosen
PLATE_PICTURES = 48  # of all sampled ones, that a plate is made of
MOVED_LEVELS = 16  # grey levels from the plate, from which on a pixel has moved
PICTURE_BYTES = 2  # bytes around a picture in a stream: its size and its time
SEGMENT_BYTES = 14  # bytes around the pictures of a segment
MOST_PICTURE_BYTES = 12  # bytes around a picture, at most


class PlacedFrames(Protocol):
    """Frames, and where the face is in each; `facecodec.clip.clip.Clip` is one."""

    @property
    def width(self) -> int:
        """Width of the frames in pixels."""

    @property
    def height(self) -> int:
        """Height of the frames in pixels."""

    @property
    def alignments(self) -> list[Alignment]:
        """The face's square in every frame."""

    def __len__(self) -> int: ...

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order; may be called again."""
        ...


@dataclass
class _Sample:
    """The pictures of one segment: their times, and what shows and hides in them."""

    pts: list[int] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    hidden: list[Flags] = field(default_factory=list)

    def shown(self, plate: Picture, face: bool) -> list[Picture]:
        """Return the pictures, with the face's place painted over unless they show the face."""
        if face:
            return self.pictures
        pairs = zip(self.pictures, self.hidden, strict=True)
        return [continued(picture, plate, hidden) for picture, hidden in pairs]


@dataclass(frozen=True)
class MadeContext:
    """A coded context: its plate, and the pictures of each segment in order, none when still.

    moving: share of the picture outside the face's square that is not as the plate shows it.
    """

    plate: ContextPlate
    parts: Iterator[ContextPictures]
    moving: float


def make_context(
    clip: PlacedFrames, plan: ContextPlan, segment_frames: int, progress: Progress
) -> MadeContext:
    """Code the context of a clip.

    segment_frames: frames of a segment of the stream; every segment has its own pictures.
    The clip's frames are read once, twice where it is longer than `SAMPLED_SEGMENTS` segments.
    Raises FacecodecError where it cannot be coded.
    """
    segments = ceil(len(clip) / segment_frames)
    count = min(segments, SAMPLED_SEGMENTS)
    chosen = {segment * segments // count for segment in range(count)}
    read = _read(clip, plan, segment_frames, chosen, progress)
    samples = dict(read)
    plate, moving = _plate(samples, plan)
    if plan.still:
        data = _still(plate, plan)
        return MadeContext(_coded(plate, data, CODEC), iter(()), moving)
    known = {segment: sample.shown(plate, plan.face) for segment, sample in samples.items()}
    share = len(clip) / sum(min(segment_frames, len(clip) - s * segment_frames) for s in chosen)
    quantiser, made = _quantiser(plate, known, plan, share)
    data = made[0][0]

    def parts() -> Iterator[ContextPictures]:
        rest = _read(clip, plan, segment_frames, set(range(segments)) - chosen, progress)
        for segment in range(segments):
            if segment in samples:
                packets, pts = made[sorted(chosen).index(segment)], samples[segment].pts
                if packets[0] != data:
                    packets = _after(data, plate, known[segment], quantiser, plan)
            else:
                _, sample = next(rest)
                packets = _after(data, plate, sample.shown(plate, plan.face), quantiser, plan)
                pts = sample.pts
            yield _fitting(pts, packets[1:])

    codec = CODEC_WITH_FACE if plan.face else CODEC
    return MadeContext(_coded(plate, data, codec), parts(), moving)


def _fitting(pts: list[int], packets: list[bytes]) -> ContextPictures:
    """Return as many of a segment's pictures as a stream takes; the last one stays."""
    count, size = 0, SEGMENT_BYTES
    for packet in packets:
        size += len(packet) + MOST_PICTURE_BYTES
        if size > MAX_CONTEXT:
            break
        count += 1
    count = max(count, 1)
    return ContextPictures(tuple(pts[:count]), tuple(packets[:count]))


def _after(
    data: bytes, plate: Picture, pictures: list[Picture], quantiser: int, plan: ContextPlan
) -> list[bytes]:
    """Return the coded plate and pictures that decode after its bytes `data`.

    Where an encoder does not give the same bytes for the same plate, they begin with a key frame.
    """
    packets = encode_after(plate, pictures, quantiser, plan.rate)
    if packets[0] == data:
        return packets
    return [data, *encode_after(pictures[0], pictures[1:], quantiser, plan.rate)]


def _coded(plate: Picture, data: bytes, codec: str) -> ContextPlate:
    return ContextPlate(codec, plate.shape[1], plate.shape[0], data)


def _read(
    clip: PlacedFrames, plan: ContextPlan, segment_frames: int, wanted: set[int], progress: Progress
) -> Iterator[tuple[int, _Sample]]:
    """Yield the pictures of some segments by their numbers, in order."""
    if not wanted:
        return
    scale = plan.size[0] / clip.width, plan.size[1] / clip.height
    step = plan.step or max(1, len(wanted) * segment_frames // PLATE_PICTURES)
    sample, last = _Sample(), max(wanted)
    for number, frame in enumerate(clip.frames()):
        segment, place = divmod(number, segment_frames)
        if place == 0:
            if sample.pts:
                yield segment - 1, sample
            if segment > last:
                return
            sample = _Sample()
        if segment in wanted and place % step == 0:
            sample.pts.append(frame.pts)
            sample.pictures.append(shrunk(frame.image, plan.size))
            sample.hidden.append(face_place(clip.alignments[number], scale, plan.size))
        progress("context", number + 1, len(clip))
    if sample.pts:
        yield number // segment_frames, sample


def shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture [H, W, 3] shrunk to `size` (width, height): the mean of what falls on one.

    Also enlarges.
    """
    return scaled(picture, size)


def _plate(samples: dict[int, _Sample], plan: ContextPlan) -> tuple[Picture, float]:
    """Return the plate, and the share of the picture that is not as it shows.

    The median over time. A plate that stands alone is the real picture that is nearest to it, for
    shoulders that lie in one place, with the median where the face is.
    """
    pictures = np.stack([p for sample in samples.values() for p in sample.pictures])
    hidden = np.stack([h for sample in samples.values() for h in sample.hidden])
    every = max(1, len(pictures) // PLATE_PICTURES)
    pictures, hidden = pictures[::every], hidden[::every]
    median = plate_of(pictures, np.zeros_like(hidden) if plan.face else hidden)
    away = np.abs(pictures.astype(np.int16) - median).max(-1)
    away[hidden] = 0
    if plan.still:
        nearest = int(away.reshape(len(away), -1).mean(1).argmin())
        plate = continued(pictures[nearest], median, hidden[nearest])
    else:
        plate = median
    return plate, _moving(away, hidden)


def _moving(away: NDArray[np.int16], hidden: NDArray[np.bool_]) -> float:
    """Return the share of what is seen that has moved; away: grey levels from the plate."""
    return float((away > MOVED_LEVELS).sum() / max(1, (~hidden).sum()))


def _still(plate: Picture, plan: ContextPlan) -> bytes:
    """Return the coded plate, the finest that keeps to its bytes."""
    low, high = QUANTISERS
    best = encode_after(plate, [], high, plan.rate)[0]
    while low < high:
        quantiser = (low + high) // 2
        data = encode_after(plate, [], quantiser, plan.rate)[0]
        if len(data) <= plan.bytes:
            best, high = data, quantiser
        else:
            low = quantiser + 1
    return best


def _quantiser(
    plate: Picture, known: dict[int, list[Picture]], plan: ContextPlan, share: float
) -> tuple[int, list[list[bytes]]]:
    """Return the finest quantiser with which a context keeps to its bytes, and what it gives.

    share: how many times as long the clip is as what is painted. The coarsest, where none does.
    """
    low, high = QUANTISERS
    best = None
    while True:
        quantiser = (low + high) // 2
        made = [encode_after(plate, pictures, quantiser, plan.rate) for pictures in known.values()]
        spent = sum(len(data) + PICTURE_BYTES for packets in made for data in packets[1:])
        spent += SEGMENT_BYTES * len(made)
        largest = max(len(made[0][0]), *(sum(map(len, packets[1:])) for packets in made))
        fits = largest <= MAX_CONTEXT // 2
        if fits and len(made[0][0]) + spent * share <= plan.bytes:
            best, high = (quantiser, made), quantiser - 1
        else:
            low = quantiser + 1
        if low > high:
            return best or (quantiser, made)
