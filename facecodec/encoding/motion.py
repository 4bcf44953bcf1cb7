"""From a scanned clip and its person to the controls of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.avatar.response import response_of
from facecodec.bitstream import FrameFlags
from facecodec.clip.scan import Scan, Span, crops
from facecodec.encoding.person import (
    FARTHEST,
    Person,
    make_target,
    pose_from_landmarks,
    turned,
)
from facecodec.encoding.presets import Preset
from facecodec.fit.correction import CorrectionPlan, corrected
from facecodec.fit.frame_selection import SIGNAL_SPREADS
from facecodec.fit.smoothing import smooth
from facecodec.fit.tracking import Tracker
from facecodec.generator.base import Generator
from facecodec.models import landmark_finder
from facecodec.progress import Progress
from facecodec.puppetry.retarget import Face, shown_landmarks
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.video.reader import VideoReader

UNEXPLAINED = 2.0  # times the median residual: a hand, a blur, another face


@dataclass(frozen=True)
class Motion:
    """Controls float32 [T, 35], flags uint8 [T], and the residual of each frame [T]."""

    controls: NDArray[np.float32]
    flags: NDArray[np.uint8]
    residual: NDArray[np.float64]


def track_clip(
    reader: VideoReader,
    span: Span,
    found: Scan,
    person: Person,
    generator: Generator,
    rig: Rig,
    plan: Preset,
    progress: Progress,
    live: bool = False,
) -> Motion:
    """Track the controls through a clip and smooth them over time; `live`: past frames alone.

    Unless `live`, the person is also made to do what the clip's landmarks do, the pose alone of one
    who is tuned: that takes the whole clip.
    """
    drawn, response = response_of(generator, rig, person.w_plus.cpu().numpy(), person.tuning)
    known = torch.from_numpy(person.examples.controls)
    tracker = Tracker(drawn, response.basis, response.styles, plan.tracking, known)
    count = len(rig.names)
    frames = len(found)
    controls = np.zeros((frames, count))
    information = np.zeros((frames, count, count))
    flags = np.zeros(frames, np.uint8)
    residual = np.zeros(frames)
    previous = None
    for i, image in crops(reader, span, found):
        if found.seen[i] or found.near[i]:
            starts = _starts(rig, found, i, person, previous)
            target = make_target(image, found, i, generator.w_mean.device)
            tracked = tracker.track(target, starts, previous, bool(found.occluded[i]))
            controls[i], information[i] = tracked.controls, tracked.information
            residual[i] = tracked.residual
            previous = torch.from_numpy(tracked.controls)
            if not found.whole[i]:
                flags[i] = FrameFlags.LOW_CONFIDENCE
        else:
            flags[i] = FrameFlags.NO_FACE
            previous = None
        progress("tracking", i + 1, frames)
    flags[_unexplained(residual, flags)] |= np.uint8(FrameFlags.LOW_CONFIDENCE)
    if not live:
        face = Face(drawn, response, landmark_finder())
        read = partial(shown_landmarks, face, "reading the decoded face", progress)
        how = CorrectionPlan(guided=None if person.tuning is None else NUM_POSE)
        wanted = np.where(found.whole[:, None, None], found.landmarks, np.nan)
        controls, information = corrected(read, controls, information, wanted, how)
    smoothed = smooth(controls, information, tracker.motion.numpy(), live)
    return Motion(_hold(smoothed, flags).astype(np.float32), flags, residual)


def _starts(
    rig: Rig, found: Scan, i: int, person: Person, previous: torch.Tensor | None
) -> list[torch.Tensor]:
    """Return where the search may begin.

    The last controls, their pose drawn to the landmarks, and the controls of the two examples
    whose landmarks are most like this frame's, turned as this one: a blink or a wide mouth lies
    too far from the last frame for a descent to find.
    """
    if not found.whole[i] and previous is not None:
        return [previous.clone()]
    pose = pose_from_landmarks(rig, found, i, person.neutral)
    starts = [pose]
    if previous is not None:
        near = previous.clone()
        near[:NUM_POSE] = 0.5 * near[:NUM_POSE] + 0.5 * pose[:NUM_POSE]
        starts = [near]
    away = np.linalg.norm((person.examples.signals - found.signals[i]) / SIGNAL_SPREADS, axis=1)
    moved = np.inf
    if previous is not None:
        moved = float(np.linalg.norm((found.signals[i - 1] - found.signals[i]) / SIGNAL_SPREADS))
    for k in np.argsort(away)[:2]:
        if away[k] > moved:
            break
        like = torch.from_numpy(person.examples.controls[k]).clone()
        change = turned(rig, found.signals[i] - person.examples.signals[k])
        like[:NUM_POSE] = (like[:NUM_POSE] + torch.from_numpy(change)).clamp(-FARTHEST, FARTHEST)
        starts.append(like)
    return starts


def _unexplained(residual: NDArray[np.float64], flags: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which frames [T] are left far worse explained than the clip's usual one."""
    there = flags & FrameFlags.NO_FACE == 0
    usual = float(np.median(residual[there])) if there.any() else 0.0
    return there & (residual > UNEXPLAINED * usual)


def _hold(controls: NDArray[np.float64], flags: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Let frames without a face repeat the last one that has one; the first ones, the first."""
    there = flags & FrameFlags.NO_FACE == 0
    latest = np.maximum.accumulate(np.where(there, np.arange(len(flags)), -1))
    latest[latest < 0] = int(np.argmax(there))
    held: NDArray[np.float64] = controls[latest]
    return held
