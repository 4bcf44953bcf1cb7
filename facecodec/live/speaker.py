"""Whom a sender sends: a person as they are known at the moment, and what tracks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from facecodec.avatar.avatar import Avatar
from facecodec.fit.quantising import FrameQuantiser
from facecodec.live.person import LivePerson
from facecodec.live.pictures import Tracked
from facecodec.live.settings import LiveSettings
from facecodec.live.tracker import Look
from facecodec.types import Picture


class LiveTracker(Protocol):
    """What turns the frames of a person into controls, in two steps.

    hurried, predicted, dropped: frames that there was time for one step for, for one that no render
    checks, and for none.
    """

    @property
    def hurried(self) -> int: ...  # noqa: D102
    @property
    def predicted(self) -> int: ...  # noqa: D102
    @property
    def dropped(self) -> int: ...  # noqa: D102

    def see(self, frame: Picture, time: float) -> Look:
        """Return where the face is in the next frame, uint8 RGB [H, W, 3], at a time in seconds."""
        ...

    def track(self, look: Look, came: float | None = None) -> Tracked:
        """Return the controls of the next frame that was looked at.

        came: when it came, by `time.perf_counter`, where it is not to be late.
        """
        ...


@dataclass(frozen=True, eq=False)
class Speaker:
    """A person as they are known at the moment.

    stage: how well, 'known' where they were given. person: what is sent of them; the same one
    where only the tracking of them has changed. settings: of the link that carries them.
    quantiser: makes what rounds their controls, which takes a render; None: the link rounds.
    """

    stage: str
    avatar: Avatar
    person: LivePerson
    tracker: LiveTracker
    settings: LiveSettings
    quantiser: Callable[[], FrameQuantiser] | None = None
