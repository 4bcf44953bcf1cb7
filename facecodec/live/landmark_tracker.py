"""Controls out of landmarks alone: what there is before a person's pictures can be compared."""

from __future__ import annotations

import numpy as np
import torch

from facecodec.bitstream import FrameFlags
from facecodec.clip.scan import SHORT_GAP_SECONDS
from facecodec.encoding.frame_tracker import Follow, SeenFrame
from facecodec.face.steady_square import SteadySquare
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.smoothing import CausalFilter
from facecodec.live.pictures import Tracked
from facecodec.live.tracker import Look
from facecodec.types import Floats, Landmarks, Picture

# In standard deviations of a control:
PRIOR = 1.0  # of all controls around 0: what landmarks do not show stays at rest
MOTION = 0.4  # of a control from one frame to the next
LIMIT = 4.0  # that a control may reach
ITERATIONS = 3  # in which landmarks that are read wrongly come to count little


class LandmarkTracker:
    """Turns the frames of anybody into controls, in hardly any time.

    What a change of the landmarks means is learnt on the generator's mean face. Head, lips, lids
    and brows follow; what landmarks do not show stays at rest. Used as `PersonTracker` is.
    """

    hurried = predicted = dropped = 0  # frames that there was little time for, or none

    def __init__(self, guide: LandmarkGuide, neutral: Landmarks, follow: Follow) -> None:
        """guide: of the mean face. neutral [68, 2]: the landmarks at controls 0, in sides of the
        square. follow: finds landmarks in frames.
        """  # fmt: skip
        self._guide, self._neutral, self._follow = guide, neutral, follow
        self._steady = SteadySquare(neutral)
        count = guide.derivative.shape[1]
        self._filter = CausalFilter(np.full(count, MOTION))
        self._held = np.zeros(count, np.float32)
        self._nothing = np.zeros(count), np.zeros((count, count))
        self._last_seen = -np.inf  # seconds

    def see(self, frame: Picture, time: float) -> Look:
        """Return where the face is in the next frame, uint8 RGB [H, W, 3], at a time in seconds."""
        points = self._follow(frame)
        square = self._steady.add(points)
        landmarks = None if square is None or points is None else square.to_unit(points)
        return Look(time, SeenFrame(square, landmarks, None))

    def track(self, look: Look, came: float | None = None) -> Tracked:
        """Return the controls of the next frame that was looked at, whenever it came."""
        square, landmarks = look.seen.square, look.seen.landmarks
        flags = FrameFlags.LOW_CONFIDENCE
        if landmarks is None:
            self._filter.add(*self._nothing)
            if look.time - self._last_seen > SHORT_GAP_SECONDS:
                flags = FrameFlags.NO_FACE
        else:
            self._last_seen = look.time
            filtered = self._filter.add(*self.evidence(landmarks))
            self._held = filtered.clip(-LIMIT, LIMIT).astype(np.float32)
        place = None if square is None else square.as_array()
        return Tracked(self._held, flags, place)

    def evidence(self, landmarks: Landmarks) -> tuple[Floats, Floats]:
        """Return the controls [K] that landmarks [68, 2] ask for, and their normal matrix [K, K].

        Iteratively reweighted least squares (Holland and Welsch 1977).
        """
        change = landmarks - self._neutral
        controls = torch.from_numpy(self._held.astype(np.float64))
        stiffness = PRIOR**-2
        matrix = torch.zeros(len(controls), len(controls), dtype=torch.float64)
        for _ in range(ITERATIONS):
            normal, side = self._guide.evidence(change, controls)
            matrix = normal + stiffness * torch.eye(len(controls), dtype=torch.float64)
            controls = controls + torch.linalg.solve(matrix, side - stiffness * controls)
        return controls.numpy(), matrix.numpy()
