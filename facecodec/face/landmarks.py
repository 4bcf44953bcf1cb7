"""dlib: find the face, its 68 landmarks, and the 128 numbers that say who it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Landmarks = NDArray[np.float64]

DETECT_HEIGHT = 400  # the detector's smallest face is 80 pixels: enough for a face of a fifth
REDETECT = 10  # frames between detections while landmarks can be followed
LARGEST_STEP = 0.25  # of the box: a jump farther than this is not the same face


class _Loaded(threading.local):
    """dlib's models, made once a thread: each takes up to a second, none remembers a picture."""

    def __init__(self) -> None:
        self._models: dict[tuple[Any, ...], Any] = {}

    def __call__(self, make: Callable[..., Any], *path: str) -> Any:
        key = make, *path
        if key not in self._models:
            self._models[key] = make(*path)
        return self._models[key]


_loaded = _Loaded()


class LandmarkFinder:
    """Finds the landmarks of one person, frame by frame, following the face between detections."""

    def __init__(self, predictor: Path) -> None:
        """`predictor` is dlib's shape_predictor_68_face_landmarks.dat."""
        self._detector = _loaded(dlib.get_frontal_face_detector)
        self._predictor = _loaded(dlib.shape_predictor, str(predictor))
        self._box: dlib.rectangle | None = None
        self._age = 0

    def reset(self) -> None:
        """Forget the last frame, as before another clip."""
        self._box, self._age = None, 0

    def __call__(self, frame: Picture) -> Landmarks | None:
        """Return the largest face's landmarks [68, 2] or None; pixel i spans i to i + 1."""
        if self._box is None or self._age >= REDETECT:
            self._box = self._detect(frame)
            self._age = 0
        if self._box is None:
            return None
        points = self._predict(frame, self._box)
        followed = box_of(points)
        shift = np.hypot(
            followed.center().x - self._box.center().x, followed.center().y - self._box.center().y
        )
        if self._age > 0 and shift > LARGEST_STEP * self._box.width():
            self._box = self._detect(frame)
            if self._box is None:
                return None
            points = self._predict(frame, self._box)
            followed = box_of(points)
        self._box = followed
        self._age += 1
        return points

    def _detect(self, frame: Picture) -> dlib.rectangle | None:
        """Return the largest face, searched small first and at full size when none is seen."""
        factor = max(1, round(frame.shape[0] / DETECT_HEIGHT))
        attempts = [(factor, 0)] + ([(1, 0)] if factor > 1 else [(1, 1)])
        for step, upsample in attempts:
            small = np.ascontiguousarray(frame[::step, ::step])
            faces = self._detector(small, upsample)
            if faces:
                face = max(faces, key=lambda box: box.area())
                return dlib.rectangle(
                    face.left() * step, face.top() * step, face.right() * step, face.bottom() * step
                )
        return None

    def _predict(self, frame: Picture, box: dlib.rectangle) -> Landmarks:
        shape = self._predictor(np.ascontiguousarray(frame), box)
        return np.array([(p.x + 0.5, p.y + 0.5) for p in shape.parts()])


def box_of(points: Landmarks) -> dlib.rectangle:
    """Return the box the detector would draw around landmarks [68, 2]."""
    low, high = points.min(0), points.max(0)
    centre = (low + high) / 2
    half = 0.5 * max(high - low) * 1.02
    x, y = centre[0], centre[1] + 0.02 * half
    return dlib.rectangle(int(x - half), int(y - half), int(x + half), int(y + half))


class FaceEmbedder:
    """dlib's face recognition network: the same person lies within a distance of 0.6."""

    def __init__(self, network: Path) -> None:
        """`network` is dlib's dlib_face_recognition_resnet_model_v1.dat."""
        self._network = _loaded(dlib.face_recognition_model_v1, str(network))

    def __call__(self, frame: Picture, points: Landmarks) -> NDArray[np.float64]:
        """Return the embedding [128] of the face with these landmarks."""
        parts = [dlib.point(int(x), int(y)) for x, y in points]
        shape = dlib.full_object_detection(box_of(points), parts)
        descriptor = self._network.compute_face_descriptor(np.ascontiguousarray(frame), shape)
        return np.array(descriptor, dtype=np.float64)
