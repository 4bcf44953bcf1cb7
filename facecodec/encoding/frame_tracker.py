"""A known person's motion, frame by frame as frames come, with a bounded amount of work for each.

What an encoder at one end of a call does: nothing waits for a later frame. Landmarks say how the
face moved, a step on the picture mends that, and controls are filtered with what came before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags
from facecodec.clip.occlusion import OCCLUDED_NEIGHBOUR_FRAMES, OCCLUDED_SHARE
from facecodec.clip.scan import SHORT_GAP_SECONDS
from facecodec.clip.targets import square_target
from facecodec.encoding.motion import UNEXPLAINED_RATIO, UNEXPLAINED_RESIDUAL
from facecodec.encoding.person import pose_from_landmarks
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.face.occlusion import occluded_share
from facecodec.face.signals import NUM_POSE, SIGNALS, all_signals
from facecodec.face.steady_square import SteadySquare
from facecodec.fit.fast_tracking import AnyTracker, FastTracker
from facecodec.fit.objective import Target
from facecodec.fit.smoothing import CausalFilter
from facecodec.types import Landmarks, Picture

# Where a frame shows nothing before the face, or hardly anything (a share of the inner face), how
# many frames later it is looked for again.
CALM_SHARE, CALM_INTERVAL = OCCLUDED_SHARE / 2, 2
LOOKED_PIXELS = 128  # side at least of the square in which it is looked for
WEIGHTS_PIXELS = 64  # side of the map that says how much each pixel counts
REMEMBERED_RESIDUALS = 250  # frames before, whose median residual a frame's is compared with

# Finds landmarks [68, 2] in frames [H, W, 3] that follow each other, None without a face.
Follow = Callable[[Picture], Landmarks | None]


@dataclass(frozen=True)
class TrackedFrame:
    """What is known of one frame, as soon as it has come.

    controls float32 [K]; flags of `FrameFlags`; the aligned square, None before the first face;
    landmarks [68, 2] in sides of it, None without a face; the residual left, of a range of 2;
    whether something hides the face.
    """

    controls: NDArray[np.float32]
    flags: int
    square: Alignment | None
    landmarks: Landmarks | None
    residual: float
    occluded: bool = False


@dataclass(frozen=True)
class SeenFrame:
    """What is seen in a frame before it is tracked.

    square and landmarks as in `TrackedFrame`; target: what is to be explained, None where no face
    is and none was a moment ago.
    """

    square: Alignment | None
    landmarks: Landmarks | None
    target: Target | None
    occluded: bool = False


class FrameTracker:
    """Turns frames into controls, one at a time: `push`, or `see` and then `track`.

    `see` may run on a thread of its own, ahead of `track`; neither is for several threads at once.
    """

    def __init__(
        self, avatar: Avatar, rest: Landmarks | None, tracker: AnyTracker, follow: Follow
    ) -> None:
        """Prepare for the first frame.

        rest [68, 2]: the person's landmarks at controls 0, in sides of the square, None where they
        cannot be read. tracker: draws the person.
        """
        self.avatar, self._tracker, self._follow = avatar, tracker, follow
        self._steady = SteadySquare(rest)
        self._neutral = np.zeros(len(SIGNALS)) if rest is None else all_signals(rest)
        self._filter = CausalFilter(tracker.motion.numpy())
        self._previous: torch.Tensor | None = None  # controls [K] of the frame before, as tracked
        self._held = np.zeros(avatar.num_controls, np.float32)  # controls where there is no face
        self._last_seen = -np.inf  # seconds
        self._occluded_frames = 0  # that still count as occluded
        self._calm_frames = 0  # until it is looked whether something hides the face
        self._residuals: deque[float] = deque(maxlen=REMEMBERED_RESIDUALS)
        self.predicted = 0  # frames passed over whose motion was told all the same
        # Of all frames so far, what their pictures say of the controls [K, K].
        self.information = np.zeros((avatar.num_controls, avatar.num_controls))

    def push(self, frame: Picture, seconds: float) -> TrackedFrame:
        """Return the controls of the next frame, uint8 [H, W, 3], shown at `seconds`."""
        return self.track(self.see(frame, seconds))

    def see(self, frame: Picture, seconds: float) -> SeenFrame:
        """Return where the face is in the next frame, uint8 [H, W, 3], shown at `seconds`."""
        points = self._follow(frame)
        square = self._steady.add(points)
        if points is not None:
            self._last_seen = seconds
        if square is None or seconds - self._last_seen > SHORT_GAP_SECONDS:
            return SeenFrame(square, None, None)
        picture = crop(frame, square, max(self._tracker.plan.size, LOOKED_PIXELS))
        landmarks = None if points is None else square.to_unit(points)
        occluded = self._is_occluded(picture, landmarks)
        device = self.avatar.model.device
        target = square_target(picture, landmarks, occluded, device, WEIGHTS_PIXELS)
        return SeenFrame(square, landmarks, target, occluded)

    def track(self, seen: SeenFrame) -> TrackedFrame:
        """Return the controls of the next frame that was seen."""
        square, landmarks, occluded = seen.square, seen.landmarks, seen.occluded
        if seen.target is None:
            return self._without_face(square)
        starts = [self._start(landmarks)]
        tracked = self._tracker.track(seen.target, starts, self._previous, occluded)
        self._previous = torch.from_numpy(tracked.controls)
        self._held = self._filter.add(tracked.controls, tracked.information).astype(np.float32)
        self._residuals.append(tracked.residual)
        self.information += tracked.information
        usual = UNEXPLAINED_RATIO * float(np.median(self._residuals))
        unexplained = tracked.residual > min(usual, UNEXPLAINED_RESIDUAL)
        doubtful = unexplained or occluded or landmarks is None
        flags = int(FrameFlags.LOW_CONFIDENCE) if doubtful else 0
        return TrackedFrame(self._held, flags, square, landmarks, tracked.residual, occluded)

    def skip(self, seen: SeenFrame) -> TrackedFrame:
        """Return a frame that was seen as one that there is no time for.

        What a step without a render tells of it, where there can be one; else like the one before.
        """
        if seen.target is not None and isinstance(self._tracker, FastTracker):
            told = self._tracker.predicted(seen.target, self._previous, seen.occluded)
            if told is not None:
                self.predicted += 1
                self._previous = torch.from_numpy(told.controls)
                self._held = self._filter.add(told.controls, told.information).astype(np.float32)
                flags = int(FrameFlags.LOW_CONFIDENCE)
                return TrackedFrame(self._held, flags, seen.square, seen.landmarks, told.residual)
        count = len(self._held)
        self._held = self._filter.add(np.zeros(count), np.zeros((count, count))).astype(np.float32)
        return TrackedFrame(self._held, int(FrameFlags.LOW_CONFIDENCE), seen.square, None, 0.0)

    def _without_face(self, square: Alignment | None) -> TrackedFrame:
        self._previous = None
        count = len(self._held)
        self._filter.add(np.zeros(count), np.zeros((count, count)))
        return TrackedFrame(self._held, int(FrameFlags.NO_FACE), square, None, 0.0)

    def _start(self, landmarks: Landmarks | None) -> torch.Tensor:
        """Return controls [K] from which Gauss-Newton may start where the guess fails."""
        if landmarks is None:
            assert self._previous is not None  # a short gap follows a frame with a face
            return self._previous.clone()
        pose = pose_from_landmarks(self.avatar.rig, all_signals(landmarks) - self._neutral)
        if self._previous is None:
            return pose
        near = self._previous.clone()
        near[:NUM_POSE] = 0.5 * near[:NUM_POSE] + 0.5 * pose[:NUM_POSE]
        return near

    def _is_occluded(self, picture: Picture, landmarks: Landmarks | None) -> bool:
        """Return whether something hides the face in a square [S, S, 3], or just did."""
        if landmarks is None:
            return False
        self._calm_frames -= 1
        if self._calm_frames > 0:
            return False
        share = occluded_share(picture, landmarks)
        if share > OCCLUDED_SHARE:
            self._occluded_frames = OCCLUDED_NEIGHBOUR_FRAMES + 1
        occluded = self._occluded_frames > 0
        self._occluded_frames = max(0, self._occluded_frames - 1)
        if share <= CALM_SHARE and not self._occluded_frames:
            self._calm_frames = CALM_INTERVAL
        return occluded
