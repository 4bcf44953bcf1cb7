"""From a clip and its person to the controls of every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags
from facecodec.checkpoint import stage
from facecodec.clip.clip import Clip
from facecodec.encoding.parts import WHOLE, PartDone, Parts
from facecodec.encoding.person import Enrolment
from facecodec.encoding.sections import joined, track_sections
from facecodec.fit.controls import per_control
from facecodec.fit.correction import CorrectionPlan, corrected
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.smoothing import smooth
from facecodec.progress import Progress
from facecodec.rig.rig import NUM_POSE
from facecodec.types import Controls, Flags, Floats, Landmarks

UNEXPLAINED_RATIO = 2.0  # times the median residual: a hand, a blur, another face
# Residual over which a frame counts as unexplained whatever the rest of its clip is like. The
# medians of the sample and five real clips (preset fast, first frames) are 0.022 to 0.049: this
# is twice the worst.
UNEXPLAINED_RESIDUAL = 0.1


@dataclass(frozen=True)
class Motion:
    """Controls float32 [T, K], flags uint8 [T] of FrameFlags, and the residual [T] left.

    `failures` counts the frames that fast tracking failed on, and that Gauss-Newton tracked alone;
    None where nothing is tracked fast. `information` [K, K]: what the pictures say of the controls
    on the mean (their normal matrix); None where nobody has asked them.
    """

    controls: Controls
    flags: NDArray[np.uint8]
    residual: Floats
    failures: int | None
    information: Floats | None = None


def track_clip(
    clip: Clip,
    avatar: Avatar,
    enrolment: Enrolment,
    plan: TrackingPlan,
    progress: Progress,
    parts: Parts = WHOLE,
) -> Motion:
    """Track the controls through a clip and smooth them over time.

    Unless the clip is live, the person is also made to do what the clip's landmarks do, only the
    pose of one who is tuned: that takes the whole clip. parts: see `Parts`; raises PartDone where
    only one is to be done.
    """
    spans = parts.spans(len(clip))
    tracked = track_sections(clip, avatar, enrolment, plan, spans, progress)
    if parts.only is not None:
        raise PartDone(len(clip), parts.number(len(clip)))
    controls, information, residual, flags = joined(tracked)
    flags[_unexplained(residual, flags)] |= np.uint8(FrameFlags.LOW_CONFIDENCE)
    seen: Floats = information.mean(axis=0)
    if not clip.live:
        face = avatar.face_reader()

        def read(controls: Floats) -> Landmarks:
            """Return the landmarks [N, 68, 2] of the person at controls [N, K]."""
            return face.landmarks(controls, "reading the decoded face", progress, stage("reading"))

        how = CorrectionPlan(guided=None if avatar.tuning is None else NUM_POSE)
        wanted = np.where(clip.whole[:, None, None], clip.landmarks, np.nan)
        controls, information = corrected(read, controls, information, wanted, how)
    step = per_control(plan.motion, avatar.num_controls).numpy()
    held = _hold(smooth(controls, information, step, clip.live), flags).astype(np.float32)
    failures = [section.failures for section in tracked if section.failures is not None]
    return Motion(held, flags, residual, sum(failures) if failures else None, seen)


def _unexplained(residual: Floats, flags: NDArray[np.uint8]) -> Flags:
    """Return which frames [T] are left far worse explained than the clip's usual one, or badly."""
    there = flags & FrameFlags.NO_FACE == 0
    usual = float(np.median(residual[there])) if there.any() else 0.0
    limit = min(UNEXPLAINED_RATIO * usual, UNEXPLAINED_RESIDUAL)
    result: Flags = there & (residual > limit)
    return result


def _hold(controls: Floats, flags: NDArray[np.uint8]) -> Floats:
    """Let frames without a face repeat the last one that has one; the first ones, the first."""
    there = flags & FrameFlags.NO_FACE == 0
    latest = np.maximum.accumulate(np.where(there, np.arange(len(flags)), -1))
    latest[latest < 0] = int(np.argmax(there))
    held: Floats = controls[latest]
    return held
