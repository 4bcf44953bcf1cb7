"""From a clip and its person to the controls of every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags
from facecodec.checkpoint import Stage, stage
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Scan
from facecodec.encoding.parts import FADE_FRAMES, WARM_UP_FRAMES, WHOLE, PartDone, Parts
from facecodec.encoding.person import POSE_LIMIT, Enrolment, pose_change, pose_from_landmarks
from facecodec.encoding.preparation import prepared
from facecodec.fit.correction import CorrectionPlan, corrected
from facecodec.fit.fast_tracking import AnyTracker, FastTracker
from facecodec.fit.frame_selection import SIGNAL_SPREADS
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.smoothing import smooth
from facecodec.fit.tracking import Tracker
from facecodec.progress import Progress
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.types import Controls, Flags, Floats, Landmarks

UNEXPLAINED_RATIO = 2.0  # times the median residual: a hand, a blur, another face
# Residual over which a frame counts as unexplained whatever the rest of its clip is like. The
# medians of the sample and five real clips (preset fast, first frames) are 0.022 to 0.049: this
# is twice the worst.
UNEXPLAINED_RESIDUAL = 0.1
NEAREST_EXAMPLES = 2  # with landmarks most like a frame's, from which its search may start


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


def new_tracker(
    avatar: Avatar, plan: TrackingPlan, known: Tensor | None, progress: Progress
) -> AnyTracker:
    """Return what tracks a person: fast, where the plan asks for that.

    known [N, K]: controls the person is likely to take.
    """
    if plan.guided_steps is None:
        return Tracker(avatar.generator, avatar.basis, avatar.styles, plan, known)
    learnt = prepared(avatar, plan, progress)
    tracker = Tracker(avatar.generator, avatar.basis, avatar.styles, plan, known, learnt)
    return FastTracker(tracker, learnt.guide)


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
    tracked = [
        _track(clip, avatar, enrolment, plan, span, progress)
        for k, span in enumerate(spans)
        if parts.only in (None, k)
    ]
    if parts.only is not None:
        raise PartDone(len(clip), len(spans))
    controls, information, residual, flags = _joined(tracked)
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
    smoothed = smooth(controls, information, tracked[0].motion, clip.live)
    held = _hold(smoothed, flags).astype(np.float32)
    failures = [part.failures for part in tracked if part.failures is not None]
    return Motion(held, flags, residual, sum(failures) if failures else None, seen)


@dataclass
class _Tracked:
    """Frames as tracked: `information` [T, K, K], `motion` [K]; for the others see `Motion`.

    early: how many of them, the first ones, belong to the part before.
    """

    controls: Floats
    information: Floats
    residual: Floats
    flags: NDArray[np.uint8]
    early: int
    motion: Floats
    failures: int | None


def _joined(parts: Sequence[_Tracked]) -> tuple[Floats, Floats, Floats, NDArray[np.uint8]]:
    """Return controls, information, residual and flags of all parts, one after the other.

    Two trackers explain the same frames by controls that differ a little, so the end of a part
    goes over into what the next one has found of the same frames.
    """
    names = ("controls", "information", "residual", "flags")
    whole = [
        np.concatenate([getattr(part, name)[part.early :] for part in parts]) for name in names
    ]
    controls, information, residual, flags = whole
    begin = len(parts[0].flags)
    for before, part in zip(parts, parts[1:], strict=False):
        count = min(FADE_FRAMES, part.early, len(before.flags) - before.early)
        ours, theirs = slice(begin - count, begin), slice(part.early - count, part.early)
        there = (flags[ours] | part.flags[theirs]) & FrameFlags.NO_FACE == 0
        share = np.where(there, np.arange(1, count + 1) / (count + 1), 0.0)
        for name, values in zip(names, (controls, information, residual), strict=False):
            own, rows = values[ours], getattr(part, name)[theirs]
            own += share.reshape(-1, *[1] * (own.ndim - 1)) * (rows - own)
        begin += len(part.flags) - part.early
    return controls, information, residual, flags


def _track(
    clip: Clip,
    avatar: Avatar,
    enrolment: Enrolment,
    plan: TrackingPlan,
    span: tuple[int, int],
    progress: Progress,
) -> _Tracked:
    """Track the frames of a span, and some before it."""
    begin, end = max(0, span[0] - WARM_UP_FRAMES), span[1]
    kept = stage(f"tracking-from-{span[0]}" if span[0] else "tracking")
    tracker = new_tracker(avatar, plan, torch.from_numpy(enrolment.controls), progress)
    done = _restored(kept, tracker, end - begin, avatar.num_controls)
    controls, information, residual, flags, first = done
    previous = None
    if first and not flags[first - 1] & FrameFlags.NO_FACE:
        previous = torch.from_numpy(controls[first - 1].copy())
    for frame, square in clip.squares() if first < end - begin else ():
        i = frame - begin
        if i < first:
            continue
        if frame == end:
            break
        if clip.seen[frame] or clip.scan.near[frame]:
            starts = _starts(avatar.rig, clip.scan, frame, enrolment, previous)
            target = clip.target(frame, square, avatar.model.device)
            tracked = tracker.track(target, starts, previous, bool(clip.occluded[frame]))
            controls[i], information[i] = tracked.controls, tracked.information
            residual[i] = tracked.residual
            previous = torch.from_numpy(tracked.controls)
            if not clip.whole[frame]:
                flags[i] = FrameFlags.LOW_CONFIDENCE
        else:
            flags[i] = FrameFlags.NO_FACE
            previous = None
        kept.add(np.concatenate([controls[i], information[i].ravel(), [residual[i], flags[i]]]))
        progress("tracking", i + 1, end - begin)
        if kept.due() or frame + 1 == end:
            kept.keep({"frames": i + 1, "tracker": tracker.state()})
    early = span[0] - begin
    motion = tracker.motion.numpy()
    return _Tracked(controls, information, residual, flags, early, motion, tracker.failures)


def _restored(
    kept: Stage, tracker: AnyTracker, frames: int, count: int
) -> tuple[Floats, Floats, Floats, NDArray[np.uint8], int]:
    """Return room for some frames, with those that were kept, and how many these are."""
    controls = np.zeros((frames, count))
    information = np.zeros((frames, count, count))
    residual = np.zeros(frames)
    flags = np.zeros(frames, np.uint8)
    if kept.known is None:
        return controls, information, residual, flags, 0
    first = int(kept.known["frames"])
    rows = kept.rows(first, count + count**2 + 2)
    controls[:first], residual[:first] = rows[:, :count], rows[:, -2]
    information[:first] = rows[:, count:-2].reshape(first, count, count)
    flags[:first] = rows[:, -1]
    tracker.restore(kept.known["tracker"])
    return controls, information, residual, flags, first


def _starts(
    rig: Rig, scan: Scan, i: int, enrolment: Enrolment, previous: Tensor | None
) -> list[Tensor]:
    """Return where the search for the controls of frame `i` may start, each [K].

    The previous controls, their pose drawn to the landmarks, and the controls of the two examples
    whose landmarks are most like this frame's, turned as this one: a blink or a wide mouth lies
    too far from the previous frame for a descent to find.
    """
    if not scan.whole[i] and previous is not None:
        return [previous.clone()]
    pose = pose_from_landmarks(rig, scan.signals[i] - enrolment.neutral)
    starts = [pose]
    if previous is not None:
        near = previous.clone()
        near[:NUM_POSE] = 0.5 * near[:NUM_POSE] + 0.5 * pose[:NUM_POSE]
        starts = [near]
    away = np.linalg.norm((enrolment.signals - scan.signals[i]) / SIGNAL_SPREADS, axis=1)
    moved = np.inf
    if previous is not None:
        moved = float(np.linalg.norm((scan.signals[i - 1] - scan.signals[i]) / SIGNAL_SPREADS))
    for k in np.argsort(away)[:NEAREST_EXAMPLES]:
        if away[k] > moved:
            break
        like = torch.from_numpy(enrolment.controls[k]).clone()
        change = pose_change(rig, scan.signals[i] - enrolment.signals[k])
        like[:NUM_POSE] = (like[:NUM_POSE] + torch.from_numpy(change)).clamp(
            -POSE_LIMIT, POSE_LIMIT
        )
        starts.append(like)
    return starts


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
