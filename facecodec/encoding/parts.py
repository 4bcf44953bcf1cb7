"""The sections of a long clip, each tracked by itself, and the parts that workers share them in.

A tracker remembers the frames before, so that where it begins makes a difference. So every long
clip is tracked in the same sections, whoever tracks them: each begins afresh some frames before its
own, so that its tracker has settled when it comes to them. What follows tracking, correction and
smoothing, is of the whole clip.
"""

from __future__ import annotations

from dataclasses import dataclass

SECTION_FRAMES = 500  # of a section, at least: what is tracked twice is a twentieth at most
LEAD_IN_FRAMES = 25  # before a section's own
FADE_FRAMES = 12  # of those, the last ones, over which one section goes over into the next
PREPARATION = -1  # in place of a part: what every part needs, the scan and the person

Span = tuple[int, int]  # the first frame, and the one behind the last


def sections(frames: int) -> list[Span]:
    """Return the sections of a clip: about equally long ones, and one of a short clip."""
    return _divided(frames, max(1, frames // SECTION_FRAMES))


@dataclass(frozen=True)
class Parts:
    """In how many parts a clip is tracked, at most: whole sections, so that the result is the same.

    only: the part that is to be done now, from 0, or `PREPARATION`; it is kept in the checkpoint,
    and nothing is written. None does all, as far as they have not been done.
    """

    count: int = 1
    only: int | None = None

    @property
    def beside(self) -> bool:
        """Return whether others may be at work on the same checkpoint: a part writes its own."""
        return self.only not in (None, PREPARATION)

    def number(self, frames: int) -> int:
        """Return how many parts a clip has."""
        return max(1, min(self.count, len(sections(frames))))

    def spans(self, frames: int) -> list[Span]:
        """Return the sections of a clip that are to be tracked now."""
        whole = sections(frames)
        if self.only is None:
            return whole
        if self.only == PREPARATION:
            return []
        first, end = _divided(len(whole), self.number(frames))[self.only]
        return whole[first:end]


def _divided(length: int, count: int) -> list[Span]:
    bounds = [length * k // count for k in range(count + 1)]
    return list(zip(bounds[:-1], bounds[1:], strict=True))


WHOLE = Parts()


class PartDone(Exception):  # noqa: N818 -- it says that all is well
    """The part that was to be done is kept. frames: of the clip; parts: how many it has."""

    def __init__(self, frames: int, parts: int) -> None:
        """Say so."""
        super().__init__(f"one of {parts} parts")
        self.frames, self.parts = frames, parts
