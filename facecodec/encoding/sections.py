"""The sections of a clip, tracked one after the other, and joined."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
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
from facecodec.encoding import parts
from facecodec.encoding.parts import Span
from facecodec.encoding.person import POSE_LIMIT, Enrolment, pose_change, pose_from_landmarks
from facecodec.encoding.preparation import new_tracker
from facecodec.fit.fast_tracking import AnyTracker
from facecodec.fit.frame_selection import SIGNAL_SPREADS
from facecodec.fit.photometric import TrackingPlan
from facecodec.progress import Progress
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.types import Floats, Picture

NEAREST_EXAMPLES = 2  # with landmarks most like a frame's, from which its search may start


@dataclass
class TrackedSection:
    """Frames as tracked: `information` [T, K, K]; for the others see `Motion`.

    early: how many of them, the first ones, belong to the section before.
    """

    controls: Floats
    information: Floats
    residual: Floats
    flags: NDArray[np.uint8]
    early: int
    failures: int | None = None

    @classmethod
    def empty(cls, frames: int, count: int, early: int) -> TrackedSection:
        """Return room for some frames of so many controls."""
        return cls(
            np.zeros((frames, count)),
            np.zeros((frames, count, count)),
            np.zeros(frames),
            np.zeros(frames, np.uint8),
            early,
        )

    def row(self, i: int) -> Floats:
        """Return all that is known of a frame, for a checkpoint."""
        seen = self.residual[i], self.flags[i]
        return np.concatenate([self.controls[i], self.information[i].ravel(), seen])

    def restore(self, kept: Stage) -> int:
        """Take the frames that were kept, and return how many these are."""
        if kept.known is None:
            return 0
        first, count = int(kept.known["frames"]), self.controls.shape[1]
        rows = kept.rows(first, count + count**2 + 2)
        self.controls[:first], self.residual[:first] = rows[:, :count], rows[:, -2]
        self.information[:first] = rows[:, count:-2].reshape(first, count, count)
        self.flags[:first] = rows[:, -1]
        self.failures = kept.known["failures"]
        return first


class _Squares:
    """The squares of a clip in order, of which the last few can be read again.

    So a section begins before the end of the one before, and the video is read once for all.
    """

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._last = deque[tuple[int, Picture]](maxlen=parts.LEAD_IN_FRAMES)
        self._coming: Iterator[tuple[int, Picture]] | None = None

    def between(self, begin: int, end: int) -> Iterator[tuple[int, Picture]]:
        """Yield frames and their squares; `end` never goes back, and `begin` by a lead-in."""
        yield from [(frame, square) for frame, square in self._last if begin <= frame < end]
        if self._coming is None:
            self._coming = self._clip.squares(first=max(0, min(begin, end - parts.LEAD_IN_FRAMES)))
        while not self._last or self._last[-1][0] < end - 1:
            frame, square = next(self._coming)
            self._last.append((frame, square))
            if frame >= begin:
                yield frame, square


def track_sections(
    clip: Clip,
    avatar: Avatar,
    enrolment: Enrolment,
    plan: TrackingPlan,
    spans: Sequence[Span],
    progress: Progress,
) -> list[TrackedSection]:
    """Track some sections of a clip, one after the other."""
    work = _Work(clip, avatar, enrolment, plan, progress)
    begins = [max(0, first - parts.LEAD_IN_FRAMES) for first, _ in spans]
    total = sum(end - begin for begin, (_, end) in zip(begins, spans, strict=True))
    squares, before, tracked = _Squares(clip), 0, []
    for begin, span in zip(begins, spans, strict=True):

        def report(frames: int, before: int = before) -> None:
            progress("tracking", before + frames, total)

        tracked.append(work.section(span, begin, squares, report))
        before += span[1] - begin
    return tracked


@dataclass(frozen=True)
class _Work:
    """What all sections of a clip are tracked with."""

    clip: Clip
    avatar: Avatar
    enrolment: Enrolment
    plan: TrackingPlan
    progress: Progress

    def section(
        self, span: Span, begin: int, squares: _Squares, report: Callable[[int], None]
    ) -> TrackedSection:
        """Track one section, from the frame `begin` of its lead-in on."""
        first, end = span
        kept = stage(f"tracking-{first}-to-{end}")
        section = TrackedSection.empty(end - begin, self.avatar.num_controls, first - begin)
        done = section.restore(kept)
        if done == end - begin:
            return section
        known = torch.from_numpy(self.enrolment.controls)
        tracker = new_tracker(self.avatar, self.plan, known, self.progress)
        if done:
            tracker.restore(kept.known["tracker"])
        for frame, square in squares.between(begin + done, end):
            i = frame - begin
            self._frame(section, i, frame, square, tracker)
            kept.add(section.row(i))
            report(i + 1)
            last = frame + 1 == end
            if kept.due() or last:
                section.failures = tracker.failures
                state = None if last else tracker.state()  # of which nothing is asked any more
                kept.keep({"frames": i + 1, "failures": tracker.failures, "tracker": state})
        return section

    def _frame(
        self, section: TrackedSection, i: int, frame: int, square: Picture, tracker: AnyTracker
    ) -> None:
        """Track one frame, number `i` of its section."""
        clip = self.clip
        if not clip.seen[frame] and not clip.scan.near[frame]:
            section.flags[i] = FrameFlags.NO_FACE
            return
        previous = None
        if i and not section.flags[i - 1] & FrameFlags.NO_FACE:
            previous = torch.from_numpy(section.controls[i - 1].copy())
        starts = _starts(self.avatar.rig, clip.scan, frame, self.enrolment, previous)
        target = clip.target(frame, square, self.avatar.model.device)
        tracked = tracker.track(target, starts, previous, bool(clip.occluded[frame]))
        section.controls[i], section.information[i] = tracked.controls, tracked.information
        section.residual[i] = tracked.residual
        if not clip.whole[frame]:
            section.flags[i] = FrameFlags.LOW_CONFIDENCE


def joined(sections: Sequence[TrackedSection]) -> tuple[Floats, Floats, Floats, NDArray[np.uint8]]:
    """Return controls, information, residual and flags of all sections, one after the other.

    Two trackers explain the same frames by controls that differ a little, so the end of a section
    goes over into what the next one has found of the same frames.
    """
    names = ("controls", "information", "residual", "flags")
    controls, information, residual, flags = (
        np.concatenate([getattr(section, name)[section.early :] for section in sections])
        for name in names
    )
    begin = len(sections[0].flags)
    for before, section in zip(sections, sections[1:], strict=False):
        count = min(parts.FADE_FRAMES, section.early, len(before.flags) - before.early)
        ours, theirs = slice(begin - count, begin), slice(section.early - count, section.early)
        there = (flags[ours] | section.flags[theirs]) & FrameFlags.NO_FACE == 0
        share = np.where(there, np.arange(1, count + 1) / (count + 1), 0.0)
        for name, values in zip(names, (controls, information, residual), strict=False):
            own, rows = values[ours], getattr(section, name)[theirs]
            own += share.reshape(-1, *[1] * (own.ndim - 1)) * (rows - own)
        begin += len(section.flags) - section.early
    return controls, information, residual, flags


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
