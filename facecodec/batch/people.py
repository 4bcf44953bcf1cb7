"""Who is in the clips of a batch: clips of one person share one `.fci` file, fitted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facecodec.types import Floats

LOOKS = 12  # frames of a clip that are looked at
LOOK_FRAMES = 25  # frames from one look to the next, at most
ENOUGH_PIXELS = 400.0  # height of a face over which a larger one makes no better person


def look(source: Path, max_frames: int | None = None) -> dict[str, Any]:
    """Find out who is seen most in a clip, by some of its frames.

    max_frames: of the clip that count. Returns their mean `embedding` [128] as a list, in how many
    `looks` they were seen, and the `pixels` that their face is high, the median.
    Raises NoFaceError when none of the frames shows a face, FacecodecError when the clip cannot be
    read, ModelError without dlib's models.
    """
    from facecodec.clip.people import grouped
    from facecodec.errors import NoFaceError
    from facecodec.models import face_embedder, landmark_finder
    from facecodec.video.reader import VideoReader

    find, embed = landmark_finder(), face_embedder()
    rows: list[Floats] = []
    pixels: list[float] = []
    with VideoReader(source) as reader:
        total = min(max_frames or reader.frame_count or 1, reader.frame_count or LOOK_FRAMES)
        step = min(LOOK_FRAMES, max(1, total // LOOKS))
        for i, frame in enumerate(reader.frames(max_frames=max_frames)):
            if i % step:
                continue
            find.reset()  # frames far apart
            points = find(frame.image)
            if points is not None:
                rows.append(embed(frame.image, points))
                pixels.append(float(np.ptp(points[:, 1])))
            if len(rows) == LOOKS:
                break
    if not rows:
        raise NoFaceError(f"{source}: no face in any of the frames that were looked at")
    groups, means = grouped(rows)
    own = [height for height, group in zip(pixels, groups, strict=True) if group == 0]
    return {
        "embedding": np.round(means[0], 5).tolist(),
        "looks": len(own),
        "pixels": round(float(np.median(own)), 1),
    }


@dataclass
class Person:
    """Somebody whom clips show.

    number: from 1, which names their file. embedding [128]: what their clips are told by. clips:
    what `look` said of each, by its path. known: their file is there already.
    """

    number: int
    embedding: Floats
    clips: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    known: bool = False

    @property
    def name(self) -> str:
        """Return what their file is called."""
        return f"person-{self.number}.fci"

    def best(self) -> list[str]:
        """Return their clips, the one to take the person from first: a large face, often seen."""

        def rank(path: str) -> tuple[float, int]:
            seen = self.clips[path]
            return -min(float(seen["pixels"]), ENOUGH_PIXELS), -int(seen["looks"])

        return sorted(self.clips, key=rank)  # in the order of clips where they are alike


def group(looks: Mapping[str, Mapping[str, Any]], known: Sequence[Person]) -> list[Person]:
    """Return the people of some clips, those that are known first.

    looks: what `look` said of each clip, by its path. A clip is of the known person whose
    embedding is nearest, if it is near enough for one person; the others are grouped among
    themselves.
    """
    from facecodec.clip.people import SAME_PERSON, grouped

    people = list(known)
    new: list[str] = []
    for path, seen in looks.items():
        row = np.asarray(seen["embedding"], float)
        away = [float(np.linalg.norm(person.embedding - row)) for person in known]
        if away and min(away) <= SAME_PERSON:
            people[int(np.argmin(away))].clips[path] = seen
        else:
            new.append(path)
    if not new:
        return people
    rows = [np.asarray(looks[path]["embedding"], float) for path in new]
    groups, means = grouped(rows)
    first = max((person.number for person in known), default=0) + 1
    added = [Person(first + k, mean) for k, mean in enumerate(means)]
    for path, k in zip(new, groups, strict=True):
        added[k].clips[path] = looks[path]
    return people + added
