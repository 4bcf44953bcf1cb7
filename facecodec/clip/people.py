"""Whose face a frame shows: a clip may cut to somebody else, and a stream holds one person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facecodec.checkpoint import State
from facecodec.clip.choice import FaceChoice
from facecodec.face.alignment import ffhq_alignment
from facecodec.types import Flags, Floats, Landmarks, Picture

Embed = Callable[[Picture, Landmarks], Floats]  # to an embedding [128]

SAME_PERSON = 0.6  # largest distance of two embeddings of one person, dlib's own threshold
# Two groups of readings are one person's whose head turned far if their means are at most the first
# apart and two of their readings less than the second. One person's readings are up to 0.61 apart
# in real clips, those of a man and a woman 0.83 and more.
LIKELY_SAME, SURELY_SAME = 0.7, 0.5
EMBEDDING_INTERVAL = 25  # frames between two embeddings where no cut is: each costs 0.08 s
CUT_DIFFERENCE = 25.0  # grey levels by which faces differ across a cut, 59 from a man to a woman
FACE_GRID = 32  # points a side at which the faces of two frames are compared
ENROLMENT_SECONDS = (
    2.0  # at the beginning of a live clip, in which whoever is seen most is enrolled
)


@dataclass(frozen=True)
class People:
    """Who is seen in a clip.

    who [T]: the number of the person in each frame, -1 without a face. embeddings [P, 128]: the
    mean of each of the P people's. samples: every embedding [128] that was read, by its frame.
    """

    who: NDArray[np.int64]
    embeddings: Floats
    samples: dict[int, Floats]

    @property
    def most_seen(self) -> int:
        """Return the number of the person in most frames, the first of several."""
        return int(np.argmax(np.bincount(self.who[self.who >= 0], minlength=1)))

    def nearest(self, embedding: Floats) -> tuple[int, float]:
        """Return the number of the person most like an embedding [128], and the distance."""
        away = np.linalg.norm(self.embeddings - embedding, axis=1)
        return int(np.argmin(away)), float(away.min())

    def others(self, person: int) -> Flags:
        """Return which frames [T] show somebody else than this person."""
        others: Flags = (self.who >= 0) & (self.who != person)
        return others

    def others_so_far(self, own: Sequence[Floats]) -> Flags:
        """Return which frames [T] show somebody else, each by what was seen until then.

        own: some embeddings [128] of the person, at least one.
        """
        known = list(own)
        others = np.zeros(len(self.who), bool)
        for begin, end in pairwise([*self.samples, len(self.who)]):
            same = _is_one_of(self.samples[begin], np.stack(known))
            if same:
                known.append(self.samples[begin])
            others[begin:end] = not same
        return others & (self.who >= 0)

    def enrolled(self, times: Floats) -> list[Floats]:
        """Return the embeddings of whoever is seen most in the first `ENROLMENT_SECONDS`.

        times [T]: of the frames, in seconds. The seconds count from the first face.
        """
        first = next(iter(self.samples))
        until = int(np.searchsorted(times, times[first] + ENROLMENT_SECONDS))
        frames = [i for i in self.samples if i < until]
        groups, _ = grouped([self.samples[i] for i in frames])
        seen = [np.count_nonzero(self.who[a:b] >= 0) for a, b in pairwise([*frames, until])]
        person = int(np.argmax(np.bincount(groups, seen)))
        return [self.samples[i] for i, k in zip(frames, groups, strict=True) if k == person]

    def like(self, embedding: Floats, person: int) -> Floats:
        """Return what tells one of the people in a live clip: an embedding [128] of theirs.

        That is the one given, out of another picture, unless no frame is as near to it as readings
        of one person are: then the nearest in the clip.
        """
        own = [sample for i, sample in self.samples.items() if self.who[i] == person]
        nearest = min(own, key=lambda sample: _distance(sample, embedding), default=embedding)
        return embedding if _distance(nearest, embedding) <= SAME_PERSON else nearest

    def sample_at(self, frame: int) -> Floats:
        """Return the embedding [128] by which a frame with a face is known."""
        return self.samples[max(i for i in self.samples if i <= frame)]

    def first_change(self, others: Flags) -> int | None:
        """Return the first frame at which the face changes between the person and another.

        others [T]: which frames show somebody else than the person.
        """
        seen = np.flatnonzero(self.who >= 0)
        changes = np.flatnonzero(others[seen][1:] != others[seen][:-1])
        return int(seen[changes[0] + 1]) if len(changes) else None


class PeopleReader:
    """Reads, frame by frame, whose face is shown.

    An embedding is read regularly, and on both sides of every cut: where the face changes too much
    for a moving head, or returns after a gap.
    """

    def __init__(self, embed: Embed, first: FaceChoice | None = None) -> None:
        """first: chooses the person in the first frame with a face."""
        self._embed, self._first = embed, first
        self.at_once = 1  # the most faces among which one was to be chosen
        self._samples: dict[int, Floats] = {}  # by frame
        self._differences: list[float] = []  # of the face from that of the frame before, NaN: none
        self._last: tuple[Picture, Landmarks, Floats] | None = None

    def state(self) -> State:
        """Return what was read; the picture of the last frame is left out."""
        last = None if self._last is None else self._last[1]
        return [self._samples, self._differences, self.at_once, last]

    def restore(self, state: State, frame: Picture) -> None:
        """Go on where `state` was; `frame` [H, W, 3] is the last one that was added."""
        self._samples, self._differences, self.at_once, last = state
        self._last = None if last is None else (frame, last, _face(frame, last))

    def add(self, frame: Picture, points: Landmarks | None) -> bool:
        """Note the next frame [H, W, 3] and its landmarks [68, 2], None without a face.

        Returns whether somebody else appears in it than in the frame before.
        """
        i, before = len(self._differences), self._last
        if points is None:
            self._differences.append(np.nan)
            self._last = None
            return False
        face = _face(frame, points)
        difference = np.nan if before is None else float(np.abs(face - before[2]).mean())
        self._differences.append(difference)
        self._last = frame, points, face
        cut = before is None or difference > CUT_DIFFERENCE
        if cut and before is not None and i - 1 not in self._samples:
            self._samples[i - 1] = self._embed(before[0], before[1])
        if cut or i - next(reversed(self._samples)) >= EMBEDDING_INTERVAL:
            self._samples[i] = self._embed(frame, points)
        if not cut or len(self._samples) < 2:
            return False
        last, now = sorted(self._samples)[-2:]
        return _distance(self._samples[last], self._samples[now]) > SAME_PERSON

    def replace(self, frame: Picture, points: Landmarks) -> None:
        """Note other landmarks [68, 2] for the frame that was added last."""
        self._samples[len(self._differences) - 1] = self._embed(frame, points)
        self._last = frame, points, _face(frame, points)

    def choose(self, frame: Picture, faces: Sequence[Landmarks]) -> int:
        """Return which of several faces [68, 2] in a frame is the person seen most until now.

        Where somebody was chosen in the first frame with a face, they are. The first one where none
        of them is.
        """
        self.at_once = max(self.at_once, len(faces))
        if not self._samples:
            return 0 if self._first is None else self._first(faces)
        groups, means = grouped(list(self._samples.values()))
        wanted = means[0 if self._first is None else groups[0]]
        away = [_distance(self._embed(frame, points), wanted) for points in faces]
        return int(np.argmin(away)) if min(away) < SAME_PERSON else 0

    def people(self) -> People:
        """Return who is seen in the frames that were added."""
        frames = sorted(self._samples)
        groups, means = grouped([self._samples[i] for i in frames])
        who = np.full(len(self._differences), -1)
        differences = np.array(self._differences)
        ends = [*frames[1:], len(who)]
        for k, (begin, end) in enumerate(zip(frames, ends, strict=True)):
            who[begin:end] = groups[k]
            if end < len(who) and groups[k] != groups[k + 1]:  # from where the face changed most
                between = np.nan_to_num(differences[begin + 1 : end + 1], nan=np.inf)
                who[begin + 1 + int(np.argmax(between)) : end] = groups[k + 1]
        samples = {i: self._samples[i] for i in frames}
        return People(np.where(self._seen(), who, -1), means, samples)

    def _seen(self) -> Flags:
        """Return which frames [T] have landmarks: those that differ from another, or begin."""
        seen = np.isfinite(self._differences)
        seen[list(self._samples)] = True
        return seen


def grouped(samples: Sequence[Floats]) -> tuple[list[int], Floats]:
    """Return the number of the person that each embedding [128] shows, and their means [P, 128].

    Person 0 is the one with most samples.
    """
    rows = np.stack(samples)
    means: list[Floats] = []
    counts: list[int] = []
    for row in rows:
        away = [_distance(row, mean) for mean in means]
        if away and min(away) <= SAME_PERSON:
            k = int(np.argmin(away))
            counts[k] += 1
            means[k] = means[k] + (row - means[k]) / counts[k]
        else:
            means.append(row)
            counts.append(1)
    groups = np.array([int(np.argmin([_distance(row, mean) for mean in means])) for row in rows])
    for k in np.argsort(counts, kind="stable")[:-1]:
        for other in range(len(means)):
            own, rest = rows[groups == k], rows[groups == other]
            if other == k or not len(own) or not len(rest):
                continue
            apart = _distance(means[k], means[other])
            if apart < LIKELY_SAME and _nearest(own, rest) < SURELY_SAME:
                groups[groups == k] = other
                break
    kept = sorted(set(groups.tolist()), key=lambda k: (-int((groups == k).sum()), k))
    centres = np.stack([rows[groups == k].mean(0) for k in kept])
    return [kept.index(k) for k in groups.tolist()], centres


def _is_one_of(sample: Floats, own: Floats) -> bool:
    """Return whether an embedding [128] is of the person of whom others [N, 128] are."""
    apart = _distance(sample, own.mean(0))
    near = _nearest(sample[None], own) < SURELY_SAME
    return apart <= SAME_PERSON or (apart < LIKELY_SAME and near)


def _face(frame: Picture, points: Landmarks) -> Floats:
    """Return the green of a face at points of its aligned square, [FACE_GRID, FACE_GRID].

    frame [H, W, 3], points [68, 2].
    """
    steps = 0.25 + 0.5 * (np.arange(FACE_GRID) + 0.5) / FACE_GRID  # the middle half
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    x, y = ffhq_alignment(points).from_unit(grid).astype(int).T
    height, width = frame.shape[:2]
    green = frame[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1), 1]
    face: Floats = green.astype(np.float64)
    return face


def _nearest(a: Floats, b: Floats) -> float:
    """Return the smallest distance between rows of a [N, 128] and of b [M, 128]."""
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return float(np.sqrt(max(float(squared.min()), 0.0)))


def _distance(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a - b))
