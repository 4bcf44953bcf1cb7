"""A clip that is tracked in parts, which need not wait for each other.

Each part begins some frames before its own, so that its tracker has settled when it comes to them.
What follows tracking, correction and smoothing, is of the whole clip.
"""

from __future__ import annotations

from dataclasses import dataclass

WARM_UP_FRAMES = 25  # before a part's own
FADE_FRAMES = 12  # of those, the last ones, over which the part before goes over into this one
LEAST_FRAMES = 100  # of a part, so that the warm-up is a quarter of it at most
PREPARATION = -1  # in place of a part: what every part needs, the scan and the person


@dataclass(frozen=True)
class Parts:
    """In how many parts a clip is tracked, at most; a short one in fewer.

    only: the part that is to be done now, from 0, or `PREPARATION`; it is kept in the checkpoint,
    and nothing is written. None does all, as far as they have not been done.
    """

    count: int = 1
    only: int | None = None

    @property
    def beside(self) -> bool:
        """Return whether others may be at work on the same checkpoint: a part writes its own."""
        return self.only not in (None, PREPARATION)

    def spans(self, frames: int) -> list[tuple[int, int]]:
        """Return the first frame of each part of a clip, and the one behind its last."""
        count = max(1, min(self.count, frames // LEAST_FRAMES))
        bounds = [frames * k // count for k in range(count + 1)]
        return list(zip(bounds[:-1], bounds[1:], strict=True))


WHOLE = Parts()


class PartDone(Exception):  # noqa: N818 -- it says that all is well
    """The part that was to be done is kept. frames: of the clip; parts: how many it has."""

    def __init__(self, frames: int, parts: int) -> None:
        """Say so."""
        super().__init__(f"one of {parts} parts")
        self.frames, self.parts = frames, parts
