"""Which of several faces in a picture is the one to follow, where the user says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facecodec.errors import UsageError
from facecodec.types import Landmarks

WORDS = ("largest", "left", "right")
_PLACE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?),(\d{1,6}(?:\.\d{1,6})?)", re.ASCII)
_NUMBER = re.compile(r"[1-9]\d?", re.ASCII)


@dataclass(frozen=True)
class FaceChoice:
    """A rule that chooses among faces: `FaceChoice.of("left")` makes one.

    word: one of `WORDS`, or nothing. number: of a face, counted from the left, from 1. place: x and
    y in pixels of the picture, that the face is nearest to.
    """

    word: str = ""
    number: int | None = None
    place: tuple[float, float] | None = None

    @classmethod
    def of(cls, text: str | None) -> FaceChoice | None:
        """Read 'largest', 'left', 'right', '2' or '640,200'; None for None.

        Raises UsageError for anything else.
        """
        if text is None:
            return None
        said = str(text).strip()
        if said in WORDS:
            return cls(word=said)
        if _NUMBER.fullmatch(said):
            return cls(number=int(said))
        if match := _PLACE.fullmatch(said):
            return cls(place=(float(match[1]), float(match[2])))
        raise UsageError(
            f"no face {text!r}; write {', '.join(WORDS)}, a number from the left, or x,y in pixels",
            argument="face",
        )

    def __call__(self, faces: Sequence[Landmarks]) -> int:
        """Return the index of the chosen one of faces [68, 2], at least one.

        Raises UsageError for a number that is larger than theirs.
        """
        middles = np.array([(points.min(0) + points.max(0)) / 2 for points in faces])
        ordered = np.argsort(middles[:, 0], kind="stable")
        if self.number is not None:
            if self.number > len(faces):
                raise UsageError(
                    f"no face {self.number}: the first frame with a face shows {len(faces)}",
                    argument="face",
                )
            return int(ordered[self.number - 1])
        if self.place is not None:
            return int(np.linalg.norm(middles - self.place, axis=1).argmin())
        if self.word == "largest":
            extents = [np.ptp(points, axis=0).max() for points in faces]
            return int(np.argmax(extents))
        return int(ordered[0 if self.word == "left" else -1])
