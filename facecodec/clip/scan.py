"""First pass over a clip: where the face is in every frame, and how well it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.arguments import whole_or_none
from facecodec.checkpoint import State, stage
from facecodec.clip.choice import FaceChoice
from facecodec.clip.people import People, PeopleReader
from facecodec.clip.source import FrameSource
from facecodec.errors import NoFaceError, UsageError
from facecodec.face.alignment import Alignment, stabilise
from facecodec.face.crop import crop
from facecodec.face.landmarks import FaceEmbedder, LandmarkFinder
from facecodec.face.layout import NUM_LANDMARKS
from facecodec.face.signals import SIGNALS, all_signals
from facecodec.progress import Progress
from facecodec.types import Flags, Floats, Landmarks, Picture
from facecodec.video.reader import Frame

_ROW = 2 + 2 * NUM_LANDMARKS  # numbers that a checkpoint keeps of a frame

SHORT_GAP_SECONDS = 0.5  # without landmarks: an occlusion, not an empty scene
SHARPNESS_PIXELS = 128  # to about which a face is reduced before its sharpness is measured
MIN_SHARPNESS_PIXELS = 8  # sides of a reduced face below this have too few gradients
SQUARE_PIXELS = 256  # pixels of a side of the aligned square that fits compare with


@dataclass(frozen=True)
class Span:
    """The part of a clip to work on: start and end in seconds, at most `max_frames` frames.

    face: whose, where its first frame with a face shows several.
    """

    start: Fraction | None = None
    end: Fraction | None = None
    max_frames: int | None = None
    face: FaceChoice | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a number of frames that is none."""
        whole_or_none(self.max_frames, "max_frames", 1)


@dataclass(frozen=True)
class Scan:
    """The result of the first pass over the frames of a span.

    pts [T]; `alignments` one a frame; `landmarks` [T, 68, 2] in units of the aligned square, 0 to
    1, and `signals` [T, 6] (facecodec.face.signals), both meaningful where `seen` [T];
    `near` [T] marks frames without landmarks that lie in a short gap between frames with;
    `sharpness` [T] is the mean gradient of the aligned square; `occluded` [T] marks frames in which
    something hides part of the face (clip/occlusion.py), none before that is looked for. `other`
    [T] marks frames that show somebody else, which are not `seen`; `people` are those that the clip
    shows (clip/people.py), None where that was not looked for; `at_once` is the most faces that a
    frame showed when all of it was searched.
    """

    pts: NDArray[np.int64]
    alignments: list[Alignment]
    landmarks: NDArray[np.float64]
    signals: NDArray[np.float64]
    seen: NDArray[np.bool_]
    near: NDArray[np.bool_]
    sharpness: NDArray[np.float64]
    occluded: NDArray[np.bool_]
    other: NDArray[np.bool_]
    people: People | None = None
    at_once: int = 1

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Return which frames [T] show the whole face."""
        return self.seen & ~self.occluded

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Return the frames [T] to take a person from: whole faces, any face where none is."""
        return self.whole if self.whole.any() else self.seen


@dataclass(frozen=True)
class Faces:
    """What one look at every frame of a span tells.

    pts: of T frames; points: landmarks [68, 2] in pixels of each frame, None without a face;
    sharpness: of each face, 0 without; people: who they are, None where that was not looked for.
    at_once: the most faces that a frame showed when all of it was searched. chosen: the number in
    `people` of the person whom a choice of the span's fell on, None without one.
    """

    pts: list[int]
    points: list[Landmarks | None]
    sharpness: list[float]
    people: People | None
    at_once: int = 1
    chosen: int | None = None


def find_faces(
    source: FrameSource,
    find: LandmarkFinder,
    embed: FaceEmbedder | None,
    span: Span,
    progress: Progress,
) -> Faces:
    """Find the face in every frame of a span, and whose it is unless `embed` is None.

    Raises NoFaceError when no frame shows a face, UsageError when the span is empty.
    """
    pts, faces, sharpness = [], [], []
    whose = None if embed is None else PeopleReader(embed, span.face)
    find.every_face = span.face is not None
    find.reset()
    total = span.max_frames or source.frame_count
    kept, first = stage("faces"), 0
    if kept.known is not None:
        first = kept.known["frames"]
        rows = kept.rows(first, _ROW)
        pts = [int(row[0]) for row in rows]
        sharpness = [float(row[1]) for row in rows]
        faces = [None if np.isnan(row[2]) else row[2:].reshape(-1, 2) for row in rows]
    for i, frame in enumerate(source.frames(span.start, span.end, span.max_frames)):
        if i < first:
            if i + 1 == first:
                find.restore(kept.known["finder"])
                if whose is not None:
                    whose.restore(kept.known["whose"], frame.image)
            continue
        points = find(frame.image, whose.choose if whose else None)
        if whose is not None and whose.add(frame.image, points):
            find.reset()  # somebody else: is the person elsewhere in the picture?
            again = find(frame.image, whose.choose)
            if again is not None:
                whose.replace(frame.image, again)
                points = again
        pts.append(frame.pts)
        faces.append(points)
        sharpness.append(0.0 if points is None else _sharpness(frame.image, points))
        row = np.full(_ROW, np.nan)
        row[:2] = frame.pts, sharpness[-1]
        if points is not None:
            row[2:] = points.ravel()
        kept.add(row)
        if kept.due():
            kept.keep(_reading(i + 1, find, whose))
        progress("finding the face", len(pts), total and max(total, len(pts)))
    if len(pts) > first:
        kept.keep(_reading(len(pts), find, whose))
    if not pts:
        raise UsageError(f"{source.path}: no frame between the start and end asked for")
    if all(points is None for points in faces):
        raise NoFaceError(f"{source.path}: no face in any of its {len(pts)} frames")
    if whose is None:
        return Faces(pts, faces, sharpness, None)
    people = whose.people()
    chosen = None if span.face is None else int(people.who[min(people.samples)])
    return Faces(pts, faces, sharpness, people, whose.at_once, chosen)


def _reading(frames: int, find: LandmarkFinder, whose: PeopleReader | None) -> State:
    """Return how far the faces of a clip have been found."""
    state = None if whose is None else whose.state()
    return {"frames": frames, "finder": find.state(), "whose": state}


def somebody_else(
    faces: Faces, person: int | None, like: Floats | None, time_base: Fraction, live: bool
) -> Flags:
    """Return which frames [T] show somebody else than the person of a clip.

    person: their number in `faces.people`; None is the one that a choice fell on, else the one
    seen most. live: by past frames alone;
    the person is then the one whom an embedding `like` [128] is of, or the first seconds show.
    """
    people, pts = faces.people, np.array(faces.pts)
    if people is None:
        return np.zeros(len(pts), bool)
    if person is None and like is None and faces.chosen is not None:
        person, like = faces.chosen, people.samples[min(people.samples)]
    if not live:
        return people.others(people.most_seen if person is None else person)
    return people.others_so_far(people.enrolled(pts * float(time_base)) if like is None else [like])


def scan_faces(
    faces: Faces,
    other: Flags,
    time_base: Fraction,
    live: bool = False,
    rest: Landmarks | None = None,
) -> Scan:
    """Return what is known of the person of a clip in every frame.

    other [T]: which frames show somebody else. time_base: seconds of a unit of the frames' pts.
    live: every square from past frames alone. rest [68, 2]: see `stabilise`.
    """
    count = len(faces.pts)
    points_of = [None if away else p for p, away in zip(faces.points, other, strict=True)]
    alignments = stabilise(points_of, causal=live, rest=rest)
    seen = np.array([points is not None for points in points_of])
    landmarks = np.zeros((count, NUM_LANDMARKS, 2))
    signals = np.zeros((count, len(SIGNALS)))
    for i, points in enumerate(points_of):
        if points is not None:
            landmarks[i] = alignments[i].to_unit(points)
            signals[i] = all_signals(landmarks[i])
    times = np.array(faces.pts, np.int64)
    near = _short_gaps(seen, times.astype(np.float64) * float(time_base), live) & ~other
    sharpness = np.array(faces.sharpness)
    hidden = np.zeros_like(seen)
    tracks = (alignments, landmarks, signals, seen, near, sharpness, hidden, other)
    return Scan(times, *tracks, faces.people, faces.at_once)


def cut_squares(
    frames: Iterable[Frame],
    alignments: Sequence[Alignment],
    size: int = SQUARE_PIXELS,
    first: int = 0,
) -> Iterator[tuple[int, Picture]]:
    """Yield (frame number, aligned square uint8 [size, size, 3]) of frames, in order.

    As many as there are alignments or frames, whichever are fewer. first: the number of the first
    of `frames`.
    """
    for i, (frame, alignment) in enumerate(zip(frames, alignments[first:], strict=False), first):
        yield i, crop(frame.image, alignment, size)


def _sharpness(image: NDArray[np.uint8], points: NDArray[np.float64]) -> float:
    """Return the mean absolute gradient of the face, at a size that does not depend on the clip."""
    low, high = points.min(0), points.max(0)
    step = max(1, int((high - low).max() / SHARPNESS_PIXELS))
    left, top = np.maximum(low, 0).astype(int)
    right, bottom = np.maximum(high, 0).astype(int)
    face = image[top:bottom:step, left:right:step, 1].astype(np.float32)
    if min(face.shape) < MIN_SHARPNESS_PIXELS:
        return 0.0
    return float(np.abs(np.diff(face, axis=0)).mean() + np.abs(np.diff(face, axis=1)).mean())


def _short_gaps(
    seen: NDArray[np.bool_], seconds: NDArray[np.float64], live: bool
) -> NDArray[np.bool_]:
    near = np.zeros_like(seen)
    known = np.flatnonzero(seen)
    if live:  # nobody knows yet how long the gap will be
        last = np.searchsorted(known, np.arange(len(seen)), side="right") - 1
        waited = seconds - seconds[known[np.maximum(last, 0)]]
        return ~seen & (last >= 0) & (waited <= SHORT_GAP_SECONDS)
    for before, after in zip(known[:-1], known[1:], strict=True):
        if after - before > 1 and seconds[after] - seconds[before] <= SHORT_GAP_SECONDS:
            near[before + 1 : after] = True
    return near
