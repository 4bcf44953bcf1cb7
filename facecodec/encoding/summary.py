"""What an encode did, and why frames are flagged."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from facecodec.bitstream import DEFAULT_QUALITY, AudioParameters, FrameFlags, StreamWriter
from facecodec.bitstream.container.describe import FlaggedFrames, flagged_frames
from facecodec.clip.clip import Clip
from facecodec.encoding.motion import Motion


@dataclass(frozen=True)
class EncodeSummary:
    """What an encode did.

    frames, and how many of them show no face, show somebody else than the person, or were tracked
    with low confidence; `first_cut`, the seconds from the clip's beginning to where the face first
    becomes somebody else's or the person's, None without; the clip's length in seconds; bytes of
    the stream, and those of the person (once a stream), the audio and the context in them, the
    rest being motion; seconds spent in each stage; the identity frame; whether the stream has
    audio, its codec, and the codec of audio that it could not take; which frames are flagged, and
    why; the quality that controls were quantised at; the share of the picture outside the face
    that does not stay as the context's plate shows it, None without a context; the most faces that
    a frame showed when all of it was searched.
    """

    frames: int
    no_face: int
    other_face: int
    low_confidence: int
    first_cut: float | None
    duration: float
    bytes: int
    person_bytes: int
    audio_bytes: int
    stages: dict[str, float]
    identity_frame: int
    audio: bool
    audio_codec: str | None
    audio_dropped: str | None
    flagged: list[FlaggedFrames]
    quality: int = DEFAULT_QUALITY
    context_bytes: int = 0
    context_moving: float | None = None
    faces: int = 1

    @property
    def kbps(self) -> float:
        """Return the rate of the whole stream in kilobits a second."""
        return self.bytes * 8 / 1000 / max(self.duration, 1e-9)

    @property
    def motion_bytes(self) -> int:
        """Return the bytes of the frames, and of the little that holds the stream together."""
        return self.bytes - self.person_bytes - self.audio_bytes - self.context_bytes


class Stages:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, stage: str) -> None:
        """Note that a stage, or a further part of one, ends here."""
        now = time.perf_counter()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._last, 3)
        self._last = now


def summarise(
    clip: Clip,
    motion: Motion,
    written: StreamWriter,
    stages: Stages,
    frame: int,
    audio: AudioParameters | None,
    dropped: str | None,
) -> EncodeSummary:
    """Return what was encoded; frame: the identity frame; audio: the stream's.

    dropped: the codec of audio that was wanted and cannot be stored.
    """
    other = int(clip.other.sum())
    return EncodeSummary(
        frames=len(clip),
        no_face=_count(motion, FrameFlags.NO_FACE) - other,
        other_face=other,
        low_confidence=_count(motion, FrameFlags.LOW_CONFIDENCE),
        first_cut=clip.first_cut,
        duration=float(clip.duration),
        bytes=written.bytes_written,
        person_bytes=written.person_bytes,
        audio_bytes=written.audio_bytes,
        context_bytes=written.context_bytes,
        stages=stages.seconds,
        identity_frame=frame,
        audio=audio is not None,
        audio_codec=None if audio is None else audio.codec,
        audio_dropped=dropped,
        flagged=why_flagged(clip, motion),
        faces=clip.scan.at_once,
    )


def why_flagged(clip: Clip, motion: Motion) -> list[FlaggedFrames]:
    """Return which frames are flagged and why, in seconds from the clip's first frame."""
    reasons = [_reason(clip, motion, i) for i in range(len(motion.flags))]
    return flagged_frames((clip.times - clip.times[0]).round(6).tolist(), reasons)


def _reason(clip: Clip, motion: Motion, frame: int) -> str:
    """Return what a frame's flag says and why it is there, nothing for one without."""
    flags = int(motion.flags[frame])
    if flags & FrameFlags.NO_FACE:
        return "no face: somebody else" if clip.other[frame] else "no face: no landmarks"
    if not flags & FrameFlags.LOW_CONFIDENCE:
        return ""
    if clip.occluded[frame]:
        return "low confidence: something hides the face"
    if not clip.seen[frame]:
        return "low confidence: no landmarks for a moment"
    return "low confidence: a large residual"


def _count(motion: Motion, flag: FrameFlags) -> int:
    return int(np.count_nonzero(motion.flags & flag))
