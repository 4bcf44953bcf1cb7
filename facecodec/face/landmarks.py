"""dlib: find the face, its 68 landmarks, and the 128 numbers that say who it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from facecodec.face.alignment import Alignment, ffhq_alignment
from facecodec.picture_limits import check_picture_size
from facecodec.types import Landmarks, Picture

DETECT_HEIGHT = 400  # the detector's smallest face is 80 pixels: enough for a face of a fifth
REDETECT = 10  # frames that landmarks are followed for without the detector seeing a face
TILTS = (-0.4, 0.4)  # radians that a head may be rolled more than it seemed
FASTEST_ROLL = 0.06  # radians a frame
SAME = 0.4  # overlap of the boxes of one face
SHARE = 1.8  # sides of the view over the extent of the landmarks
VIEW = 224  # pixels of the view: a face of 124
# right, down, in half sides of a box, and scale: what a reading should not depend on
# (down and larger: an open jaw)
SHIFTS = ((0, 0, 1), (0.08, 0, 1), (-0.08, 0, 1), (0, 0.08, 1), (0, -0.08, 1), (0, 0, 1.08),
          (0, 0.1, 1.1))  # fmt: skip
AGREE = 2.0  # pixels of the view that readings may differ by
NO_FACE = 3.5  # pixels by which they do where nothing is but their boxes
LARGEST_STEP = 0.25  # of the box: a jump farther than this is not the same face
UNSURE, SURE = -0.4, 1.2  # detector scores: a head that is turned or half hidden, an upright one


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
    """Finds the landmarks of one person, frame by frame, following the face between detections.

    The predictor knows upright heads only: it reads the face in a square that rolls along with
    the head, and where the detector is not sure of the face in it, other rolls are tried.
    """

    def __init__(self, predictor: Path) -> None:
        """`predictor` is dlib's shape_predictor_68_face_landmarks.dat."""
        self._detector = _loaded(dlib.get_frontal_face_detector)
        self._predictor = _loaded(dlib.shape_predictor, str(predictor))
        self.reset()

    def reset(self) -> None:
        """Forget the last frame, as before another clip."""
        self._points: Landmarks | None = None
        self._unseen, self._roll = 0, 0.0

    def __call__(self, frame: Picture) -> Landmarks | None:
        """Return the largest face's landmarks [68, 2] or None; pixel i spans i to i + 1.

        Raises FacecodecError for a frame, uint8 [H, W, 3], of a size that dlib cannot work on.
        """
        frame = _safe_for_dlib(frame)
        points = self._followed(frame)
        if points is None:
            points = self._found(frame)
        self._points = points
        return points

    def _followed(self, frame: Picture) -> Landmarks | None:
        """Return the landmarks from where they were last, None when the face is no longer there."""
        last = self._points
        if last is None:
            return None
        view, box = _around(last, self._roll)
        seen = self._levelled(frame, view)
        self._unseen = 0 if seen else self._unseen + 1
        if self._unseen >= REDETECT:
            return None
        boxes = [box]
        if seen:
            turned = seen[0] != view or _overlap(seen[1], box) < SAME
            view, boxes = seen[0], [seen[1]] if turned else [box, seen[1]]
        points, spread = self._read(frame, view, boxes)
        if not seen and spread > NO_FACE:
            return None
        turn = ffhq_alignment(points).angle - view.angle
        self._roll = view.angle + float(np.clip(turn, -FASTEST_ROLL, FASTEST_ROLL))
        shift = float(np.hypot(*(_middle(points) - _middle(last))))
        return None if shift > LARGEST_STEP * view.size / SHARE else points

    def _found(self, frame: Picture) -> Landmarks | None:
        """Return the landmarks of the largest face in the whole frame."""
        self._unseen = 0
        detected = self._detect(frame)
        if detected is None:
            return None
        middle, side = detected.center(), SHARE * detected.width()
        view = Alignment(middle.x + 0.5, middle.y + 0.5, side, 0.0)
        seen = self._levelled(frame, view)
        if seen is None:
            half = 0.5 * VIEW / SHARE
            seen = view, dlib.rectangle(*(int(VIEW / 2 + d * half) for d in (-1, -1, 1, 1)))
        points, _ = self._read(frame, seen[0], [seen[1]])
        # once more, in a square that suits the head
        view, box = _around(points, ffhq_alignment(points).angle)
        view, box = self._levelled(frame, view) or (view, box)
        points, _ = self._read(frame, view, [box])
        self._roll = ffhq_alignment(points).angle
        return points

    def _levelled(self, frame: Picture, view: Alignment) -> tuple[Alignment, dlib.rectangle] | None:
        """Return the view whose roll shows the detector a face best, and the face's box in it."""
        best, found = UNSURE, None
        rolls = (view.angle, *(view.angle + tilt for tilt in TILTS), 0.0)
        for roll in dict.fromkeys(rolls):
            tilted = replace(view, angle=roll)
            boxes, scores, _ = self._detector.run(_chip(frame, tilted), 0, UNSURE)
            for box, score in zip(boxes, scores, strict=True):
                inside = abs(box.center().x - VIEW / 2) + abs(box.center().y - VIEW / 2) < VIEW / 4
                if inside and score > best:
                    best, found = score, (tilted, box)
            if best > SURE:
                break
        return found

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

    def _read(
        self, frame: Picture, view: Alignment, boxes: list[dlib.rectangle]
    ) -> tuple[Landmarks, float]:
        """Return the landmarks [68, 2] that the predictor reads in boxes, and their spread.

        A reading hangs on its box, so each box is shifted a little; the mean of those that agree
        is steadier, and a box that is off the face has no say. The spread is how far readings lie
        apart, in pixels of the view: a third of one on a face, several where there is none.
        """
        chip = _chip(frame, view)
        shapes = [self._predictor(chip, s).parts() for box in boxes for s in _shifted(box)]
        points = np.array([[(p.x + 0.5, p.y + 0.5) for p in parts] for parts in shapes])
        away = np.linalg.norm(points - np.median(points, axis=0), axis=2).mean(1)
        spread = float(np.median(away))
        agreed = points[away <= max(AGREE, 2 * spread)]
        return view.from_unit(agreed.mean(0) / VIEW), spread


def _safe_for_dlib(frame: Picture) -> Picture:
    """Return the frame as dlib takes it; what would corrupt its memory is refused."""
    check_picture_size(frame.shape[1], frame.shape[0])
    return np.ascontiguousarray(frame)


def _chip(frame: Picture, view: Alignment) -> Picture:
    """Return what a square of the frame shows, [VIEW, VIEW, 3]."""
    half = 0.5 * view.size
    rect = dlib.drectangle(view.x - half, view.y - half, view.x + half, view.y + half)
    place = dlib.chip_details(rect, dlib.chip_dims(VIEW, VIEW), view.angle)
    chip: Picture = dlib.extract_image_chip(frame, place)
    return chip


def _shifted(box: dlib.rectangle) -> list[dlib.rectangle]:
    """Return the boxes of `SHIFTS` around one."""
    half, middle = box.width() / 2, box.dcenter()
    places = [(middle.x + right * half, middle.y + down * half, half * scale)
              for right, down, scale in SHIFTS]  # fmt: skip
    return [
        dlib.rectangle(*(round(v) for v in (x - side, y - side, x + side, y + side)))
        for x, y, side in places
    ]


def _middle(points: Landmarks) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = (points.min(0) + points.max(0)) / 2
    return middle


def _around(points: Landmarks, roll: float) -> tuple[Alignment, dlib.rectangle]:
    """Return an upright square around a head with landmarks [68, 2], and the face's box in it."""
    turned = Alignment(0.0, 0.0, 1.0, roll)
    level = turned.to_unit(points)
    x, y = turned.from_unit(_middle(level)[None])[0]
    side = SHARE * float((level.max(0) - level.min(0)).max())
    view = Alignment(float(x), float(y), side, roll)
    return view, box_of(VIEW * view.to_unit(points))


def _overlap(a: dlib.rectangle, b: dlib.rectangle) -> float:
    """Return the intersection of two boxes over their union."""
    shared = float(a.intersect(b).area())
    return float(shared / (a.area() + b.area() - shared))


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
        """Return the embedding [128] of the face with these landmarks.

        Raises FacecodecError for a frame, uint8 [H, W, 3], of a size that dlib cannot work on.
        """
        frame = _safe_for_dlib(frame)
        parts = [dlib.point(int(x), int(y)) for x, y in points]
        shape = dlib.full_object_detection(box_of(points), parts)
        descriptor = self._network.compute_face_descriptor(frame, shape)
        return np.array(descriptor, dtype=np.float64)
