"""What the faces of puppets, drivers and sources do, read alike from their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.face.layout import LEFT_BROW, RIGHT_BROW
from facecodec.face.signals import SIGNALS, eye_centres, interocular
from facecodec.metrics.evaluate import MEASURED_PIXELS
from facecodec.metrics.landmarker import Landmarker
from facecodec.metrics.temporal import correlation, eye_distances
from facecodec.metrics.trace import Trace
from facecodec.models import require_models
from facecodec.types import Controls, Floats, Picture
from facecodec.video.reader import VideoReader
from facecodec.weights.store import model_path

SEEN = (*(name for name in SIGNALS if name != "roll"), "brow_height", "gaze")
EMBED_EVERY = 5
# The median size of a normal number, and the deviation of its second difference over time.
NORMAL_MEDIAN, SECOND_DIFFERENCE = 0.6745, 6**0.5


@dataclass(frozen=True)
class Face:
    """Every frame of a face at 256 pixels: pictures, landmarks [T, 68, 2], signals, embeddings.

    signals: those of `SEEN`, [T] each and gaze [T, 2], NaN without a face. turn: [T, 3], the head's
    pose in degrees by MediaPipe, which no mouth changes.
    """

    pictures: list[Picture]
    points: Floats
    signals: dict[str, Floats]
    turn: Floats
    embeddings: Floats

    @property
    def lost(self) -> int:
        """Return how many frames show no face."""
        return int((~np.isfinite(self.points[:, 0, 0])).sum())

    @property
    def shake(self) -> float:
        """Return the median second difference over time of the landmarks, in eye distances."""
        points = self.points / eye_distances(self.points)[:, None, None]
        points = points - points.mean(1, keepdims=True)
        return float(np.nanmedian(np.linalg.norm(np.diff(points, 2, axis=0), axis=2)))


def read(pictures: Iterable[Picture], landmarker: Landmarker | None) -> Face:
    """Return what a face does in its squares [256, 256, 3]."""
    kept = list(pictures)
    trace = Trace(model_path("dlib-landmarks"), model_path("dlib-embedding"), landmarker)
    for number, picture in enumerate(kept):
        trace.add(picture, embed=number % EMBED_EVERY == 0)
    signals = {name: trace.signal(name) for name in SEEN if name in SIGNALS}
    signals["brow_height"] = np.array([brow_height(points) for points in trace["points"]])
    signals["gaze"] = trace["gaze"]
    return Face(kept, trace["points"], signals, trace["pose"], trace["embeddings"])


def brow_height(points: Floats) -> float:
    """Return how far the brows of landmarks [68, 2] lie over the eyes, in eye distances."""
    left, right = eye_centres(points)
    x_axis = (right - left) / interocular(points)
    down = np.array([-x_axis[1], x_axis[0]])
    brows = (points[LEFT_BROW].mean(0) + points[RIGHT_BROW].mean(0)) / 2
    return float(((left + right) / 2 - brows) @ down / interocular(points))


def read_clip(clip: Path, frames: int, landmarker: Landmarker | None) -> Face:
    """Return what the face of a video does in its first frames."""
    require_models(person=True)
    with VideoReader(clip) as reader:
        opened = Clip(reader, Span(max_frames=frames), occlusions=False, people=False)
        return read((square for _, square in opened.squares(MEASURED_PIXELS)), landmarker)


def read_avatar(who: Avatar, controls: Controls, landmarker: Landmarker | None) -> Face:
    """Return what a person's face does at controls [T, K]."""
    drawn = (who.render(row[None], MEASURED_PIXELS)[0] for row in controls.astype(np.float32))
    return read(drawn, landmarker)


def noise(signal: Floats) -> float:
    """Return the standard deviation of what a signal [T] has of noise that differs by frame.

    From its median second difference, which slow motion hardly moves. Fast motion does, so it is
    rather too large.
    """
    second = np.abs(np.diff(signal, 2))
    return float(np.nanmedian(second) / (NORMAL_MEDIAN * SECOND_DIFFERENCE))


def ceiling(a: Floats, b: Floats) -> float:
    """Return the correlation that two readings [T] or [T, K] of one motion would have.

    Spearman 1904, The proof and measurement of association between two things.
    """
    sure = 1.0
    for series in (a, b):
        columns = series.reshape(len(series), -1).T
        motion = sum(float(np.nanvar(column)) for column in columns)
        wrong = sum(noise(column) ** 2 for column in columns)
        sure *= max(1 - wrong / motion, 0.0) if motion else 0.0
    return float(np.sqrt(sure))


def agreement(reference: Floats, other: Floats) -> float:
    """Return the correlation of two signals [T] or [T, K] over time, NaN where there is none."""
    found = correlation(reference, other)
    return float("nan") if found is None else found


def slope(a: Floats, b: Floats) -> float:
    """Return by how much `a` moves where `b` moves by 1, by least squares over [T] or [T, K]."""
    known = np.isfinite(a) & np.isfinite(b)
    x, y = (np.where(known, s - np.nanmean(s, axis=0), 0.0) for s in (b, a))
    return float((x * y).sum() / (x * x).sum())


def distance(person: Face, puppet: Face) -> float:
    """Return the mean distance of a puppet's embeddings to the person's mean one."""
    mean = np.nanmean(person.embeddings, axis=0)
    return float(np.nanmean(np.linalg.norm(puppet.embeddings - mean, axis=1)))
