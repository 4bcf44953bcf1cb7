"""The tracker of a live sender: a known person's frames to controls, as they come."""

from __future__ import annotations

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags
from facecodec.encoding.frame_tracker import FrameTracker
from facecodec.encoding.live_clip import OnePerson
from facecodec.encoding.motion import new_tracker
from facecodec.encoding.presets import LIVE_TRACKING
from facecodec.fit.photometric import TrackingPlan
from facecodec.live.pictures import Tracked
from facecodec.progress import Progress, silent
from facecodec.types import Picture


class PersonTracker:
    """Turns the frames of one person into controls, a bounded amount of work for each.

    What the preset `live` does with a clip. Faces of others count as none. Not for several threads
    at once.
    """

    def __init__(
        self,
        avatar: Avatar,
        *,
        any_face: bool = False,
        plan: TrackingPlan = LIVE_TRACKING,
        progress: Progress = silent,
    ) -> None:
        """Learn how the person's face moves, which takes some seconds.

        any_face: follow whoever it is. progress: told of the preparation. Raises ModelError when a
        face model is missing.
        """
        person = OnePerson(avatar, any_face)
        tracker = new_tracker(avatar, plan, None, progress)
        self._frames = FrameTracker(avatar, person.rest, tracker, person)

    def __call__(self, frame: Picture, time: float) -> Tracked:
        """Return the controls of the next frame, uint8 RGB [H, W, 3], at a time in seconds."""
        known = self._frames.push(frame, time)
        square = None if known.square is None else known.square.as_array()
        return Tracked(np.array(known.controls), FrameFlags(known.flags), square)
