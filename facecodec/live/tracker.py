"""The tracker of a live sender: a known person's frames to controls, as they come."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import DEFAULT_QUALITY, FrameFlags
from facecodec.encoding.frame_tracker import LOOKED_PIXELS, Follow, FrameTracker, SeenFrame
from facecodec.encoding.live_clip import OnePerson
from facecodec.encoding.pace import Pace
from facecodec.encoding.preparation import new_tracker
from facecodec.encoding.presets import LIVE_TRACKING
from facecodec.face.occlusion import occluded_share
from facecodec.fit.fast_tracking import AnyTracker, FastTracker
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.preparation import Preparation
from facecodec.fit.quantising import FrameQuantiser
from facecodec.fit.tracking import Tracker
from facecodec.live.pictures import Tracked
from facecodec.progress import Progress, silent
from facecodec.types import Landmarks, Picture

# Steps of a frame that has no previous one to start from, where frames do not wait: a third of
# the usual. What is left is made up for by the next frames.
SHORT_ITERATIONS = 2


class KnownFace(NamedTuple):
    """What is known already of a face that is to be tracked.

    follow: finds its landmarks. rest [68, 2]: theirs as drawn at controls 0, in sides of the
    square, None where they cannot be read. learnt: what tracking begins with.
    """

    follow: Follow
    rest: Landmarks | None
    learnt: Preparation


class Look(NamedTuple):
    """A frame that was looked at: its time in seconds, and what was seen."""

    time: float
    seen: SeenFrame


class PersonTracker:
    """Turns the frames of one person into controls, a bounded amount of work for each.

    What the preset `live` does with a clip. Faces of others count as none. `see` may run on a
    thread of its own, ahead of `track`; neither is for several threads at once.
    """

    def __init__(
        self,
        avatar: Avatar,
        *,
        any_face: bool = False,
        plan: TrackingPlan = LIVE_TRACKING,
        keep_up: bool = False,
        progress: Progress = silent,
        face: KnownFace | None = None,
    ) -> None:
        """Learn how the person's face moves, which takes some seconds, unless a `face` says it.

        any_face: follow whoever it is. keep_up: where frames come faster than they are tracked,
        take fewer steps for each, then none that is checked by a render; those frames are flagged.
        `hurried`, `predicted` and `dropped` count them. Whose face it is is then found out by a
        process of its own. What comes out depends on the machine. progress: told of the
        preparation.

        Raises ModelError when a face model is missing.
        """
        self._tracker: AnyTracker
        follow: Follow
        if face is None:
            follow = person = OnePerson(avatar, any_face, apart=keep_up)
            self._tracker = new_tracker(avatar, plan, None, progress)
            self._rest = person.rest
        else:
            follow, self._rest = face.follow, face.rest
            drawn = Tracker(avatar.generator, avatar.basis, avatar.styles, plan, None, face.learnt)
            self._tracker = FastTracker(drawn, face.learnt.guide)
        self._frames = FrameTracker(avatar, self._rest, self._tracker, follow)
        if keep_up and isinstance(self._tracker, FastTracker):
            begun = self._tracker.tracker
            begun.plan = replace(begun.plan, iterations=SHORT_ITERATIONS)
            if self._rest is not None:  # read its network now and not at the first frame
                occluded_share(np.zeros((LOOKED_PIXELS, LOOKED_PIXELS, 3), np.uint8), self._rest)
        self._pace = Pace() if keep_up else None

    def __call__(self, frame: Picture, time: float) -> Tracked:
        """Return the controls of the next frame, uint8 RGB [H, W, 3], at a time in seconds."""
        return self.track(self.see(frame, time))

    def see(self, frame: Picture, time: float) -> Look:
        """Return where the face is in the next frame, uint8 RGB [H, W, 3], at a time in seconds."""
        return Look(time, self._frames.see(frame, time))

    def track(self, look: Look, came: float | None = None) -> Tracked:
        """Return the controls of the next frame that was looked at.

        came: when it came, by `time.perf_counter`; says how much time there is, where that counts.
        """
        if self._pace is None:
            known = self._frames.track(look.seen)
        else:
            steps = self._pace.steps(self._tracker.plan.guided_steps or 1, look.time, came)
            if isinstance(self._tracker, FastTracker):
                self._tracker.steps = steps
            known = self._frames.track(look.seen) if steps else self._frames.skip(look.seen)
            self._pace.done()
        square = None if known.square is None else known.square.as_array()
        return Tracked(np.array(known.controls), FrameFlags(known.flags), square)

    def quantiser(self, quality: int = DEFAULT_QUALITY) -> FrameQuantiser:
        """Return what turns controls into whole steps that suit the person; quality: 0 to 100."""
        tracker = self._tracker
        drawn = tracker.tracker if isinstance(tracker, FastTracker) else tracker
        information = drawn.information_at_rest(self._rest)
        return FrameQuantiser(self._frames.avatar.rig.steps, information, quality)

    @property
    def hurried(self) -> int:
        """Return the frames so far that there was time for one step for."""
        return self._pace.hurried if self._pace else 0

    @property
    def dropped(self) -> int:
        """Return the frames so far that there was no time for, and that are like the one before."""
        return self._pace.dropped - self.predicted if self._pace else 0

    @property
    def predicted(self) -> int:
        """Return the frames so far whose motion was told without a render, for want of time."""
        return self._frames.predicted
