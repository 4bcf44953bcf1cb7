"""Landmarks and embeddings by dlib: where a face is, its 68 points, and whose it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from facecodec.checkpoint import State
from facecodec.face.alignment import Alignment, ffhq_alignment
from facecodec.face.cascade import cascade
from facecodec.face.readings import (
    VIEW_SIZE,
    box_of,
    by_cascade,
    by_dlib,
    chip_of,
    edges_around,
    edges_of,
    shifted,
)
from facecodec.picture_limits import check_picture_size
from facecodec.types import Floats, Landmarks, Picture

# Pixels to which a frame's height is brought before the whole of it is searched: the detector's
# smallest face is 80 pixels, and a face is seldom less than a fifth of the height.
DETECTION_HEIGHT = 400
REDETECTION_INTERVAL = 10  # frames that landmarks are followed for without the detector's support
VIEW_MARGIN = 1.8  # sides of the view per extent of the landmarks: a face of 124 pixels
CENTRE_RADIUS = 0.25  # sides of the view from its centre within which a face is the followed one
TRIED_ROLLS = (-0.4, 0.4)  # radians that a head may be rolled more than expected
LARGEST_ROLL_STEP = 0.06  # radians that the view rolls from one frame to the next
OUTLIER_DISTANCE = 2.0  # pixels of the view from the median up to which a reading always counts
OUTLIER_RATIO = 2  # times the median distance up to which it counts too
# Where the detector is not asked about every frame: how often it is, and the median distance of
# readings, in pixels of the view, above which it is asked all the same.
LOOK_INTERVAL, SURE_SPREAD = 10, 2.0
NO_FACE_SPREAD = 3.5  # median distance, in pixels of the view, of readings where there is no face
SAME_FACE_OVERLAP = 0.4  # intersection over union of two boxes of one face
LARGEST_JUMP = 0.25  # extents of the landmarks that a face moves between two frames
# The detector's scores: about that of a turned or half hidden head, and that of an upright one.
LEAST_SCORE, SURE_SCORE = -0.4, 1.2
MOST_FACES = 8  # of one picture, the largest, that are looked at

Choose = Callable[[Picture, Sequence[Landmarks]], int]  # which of several faces in a frame


class _Loaded(threading.local):
    """dlib's models, loaded once a thread: that takes up to a second, and none keeps any state."""

    def __init__(self) -> None:
        self._models: dict[tuple[Any, ...], Any] = {}

    def __call__(self, make: Callable[..., Any], *path: str) -> Any:
        """Return what `make(*path)` made the first time it was asked for on this thread."""
        key = make, *path
        if key not in self._models:
            self._models[key] = make(*path)
        return self._models[key]


_loaded = _Loaded()


class LandmarkFinder:
    """Finds the landmarks of one person, frame by frame, following the face between detections.

    The predictor reads upright heads only. It is shown the view, a square that rolls with the
    head, and where the detector is not sure of the face in it, other rolls are tried.
    """

    every_face = False  # look for small ones beside large ones, and have one alone chosen, too

    def __init__(self, predictor: Path, *, quick: bool = False) -> None:
        """Load dlib's models.

        predictor: dlib's shape_predictor_68_face_landmarks.dat. quick: ask the detector about a
        face that is followed every `LOOK_INTERVAL` frames alone, and read by `Cascade` where
        this machine has it.
        """
        self._quick = quick
        self._detector = _loaded(dlib.get_frontal_face_detector)
        compiled = cascade(predictor) if quick else None
        if compiled is None:
            self._readings = by_dlib(_loaded(dlib.shape_predictor, str(predictor)))
        else:
            self._readings = by_cascade(compiled)
        self.reset()

    def reset(self) -> None:
        """Forget the last frame, before a picture that does not follow it."""
        self.restore([None, 0, 0.0, 0])

    def state(self) -> State:
        """Return what is remembered of the last frame."""
        return [self._points, self._unseen, self._roll, self._not_looked]

    def restore(self, state: State) -> None:
        """Remember what `state` returned."""
        self._points, self._unseen, self._roll, self._not_looked = state

    def __call__(self, frame: Picture, choose: Choose | None = None) -> Landmarks | None:
        """Return the face's landmarks [68, 2] in pixels, or None; pixel i spans i to i + 1.

        Where no face is followed, `choose` decides between several; the largest is taken without.
        Raises FacecodecError for a frame, uint8 [H, W, 3], of a size that dlib cannot work on.
        """
        frame = _safe_for_dlib(frame)
        points = self._followed(frame)
        if points is None:
            points = self._detected(frame, choose)
        self._points = points
        return points

    def _followed(self, frame: Picture) -> Landmarks | None:
        """Return the landmarks [68, 2] near the last ones, None where the face is no longer there.

        `frame` [H, W, 3].
        """
        last = self._points
        if last is None:
            return None
        view = _view_of(last, self._roll)
        self._not_looked += 1
        if self._quick and self._not_looked < LOOK_INTERVAL:
            edges = edges_around(VIEW_SIZE * view.to_unit(last))
            points, spread = self._read(frame, view, shifted(edges))
            if spread < SURE_SPREAD and self._is_near(points, view):
                return points
        self._not_looked = 0
        seen = self._levelled(frame, view)
        self._unseen = 0 if seen else self._unseen + 1
        if self._unseen >= REDETECTION_INTERVAL:
            return None
        box = box_of(VIEW_SIZE * view.to_unit(last))
        boxes = [box]
        if seen:
            moved = seen[0] != view or _overlap(seen[1], box) < SAME_FACE_OVERLAP
            view, boxes = seen[0], [seen[1]] if moved else [box, seen[1]]
        places = np.concatenate([shifted(edges_of(one)) for one in boxes])
        points, spread = self._read(frame, view, places)
        if not seen and spread > NO_FACE_SPREAD:
            return None
        return points if self._is_near(points, view) else None

    def _is_near(self, points: Landmarks, view: Alignment) -> bool:
        """Return whether landmarks [68, 2] read in a view are near the last ones; note the roll."""
        assert self._points is not None
        turn = ffhq_alignment(points).angle - view.angle
        self._roll = view.angle + float(np.clip(turn, -LARGEST_ROLL_STEP, LARGEST_ROLL_STEP))
        shift = np.hypot(*(_middle(points) - _middle(self._points)))
        return bool(shift <= LARGEST_JUMP * view.size / VIEW_MARGIN)

    def _detected(self, frame: Picture, choose: Choose | None) -> Landmarks | None:
        """Return the landmarks [68, 2] of one of the faces in a frame [H, W, 3], or None."""
        self._unseen = 0
        boxes = self._detect(frame)
        if not boxes:
            return None
        read = [self._face_in(frame, box) for box in boxes[: None if choose else 1]]
        points = read[choose(frame, read) if choose and len(boxes) > 1 - self.every_face else 0]
        self._roll = ffhq_alignment(points).angle
        return points

    def _face_in(self, frame: Picture, detected: dlib.rectangle) -> Landmarks:
        """Return the landmarks [68, 2] of the face that was detected in a box of a frame."""
        middle, side = detected.center(), VIEW_MARGIN * detected.width()
        view = Alignment(middle.x + 0.5, middle.y + 0.5, side, 0.0)
        seen = self._levelled(frame, view)
        if seen is None:
            half = 0.5 * VIEW_SIZE / VIEW_MARGIN
            seen = view, dlib.rectangle(*(int(VIEW_SIZE / 2 + d * half) for d in (-1, -1, 1, 1)))
        points, _ = self._read(frame, seen[0], shifted(edges_of(seen[1])))
        # again, in a view that suits the head
        view = _view_of(points, ffhq_alignment(points).angle)
        seen = self._levelled(frame, view)
        view, box = seen or (view, box_of(VIEW_SIZE * view.to_unit(points)))
        points, _ = self._read(frame, view, shifted(edges_of(box)))
        return points

    def _levelled(self, frame: Picture, view: Alignment) -> tuple[Alignment, dlib.rectangle] | None:
        """Return the view, of several rolls, with the best face for the detector, and its box.

        `frame` [H, W, 3]. None where it sees a face in none of them.
        """
        best_score, best = LEAST_SCORE, None
        rolls = (view.angle, *(view.angle + tilt for tilt in TRIED_ROLLS), 0.0)
        for roll in dict.fromkeys(rolls):
            tilted = replace(view, angle=roll)
            boxes, scores, _ = self._detector.run(chip_of(frame, tilted), 0, LEAST_SCORE)
            for box, score in zip(boxes, scores, strict=True):
                right, down = box.center().x - VIEW_SIZE / 2, box.center().y - VIEW_SIZE / 2
                central = abs(right) + abs(down) < CENTRE_RADIUS * VIEW_SIZE
                if central and score > best_score:
                    best_score, best = score, (tilted, box)
            if best_score > SURE_SCORE:
                break
        return best

    def _detect(self, frame: Picture) -> list[dlib.rectangle]:
        """Return the boxes of the faces in a frame [H, W, 3], the largest first; tried small."""
        factor = max(1, round(frame.shape[0] / DETECTION_HEIGHT))
        attempts = [(factor, 0)] + ([(1, 0)] if factor > 1 else [(1, 1)])
        attempts = attempts[self.every_face :]
        for step, upsample in attempts:
            small = np.ascontiguousarray(frame[::step, ::step])
            faces = self._detector(small, upsample)
            if faces:
                largest = sorted(faces, key=lambda box: -box.area())[:MOST_FACES]
                return [_scaled(face, step) for face in largest]
        return []

    def _read(self, frame: Picture, view: Alignment, boxes: Floats) -> tuple[Landmarks, float]:
        """Return the landmarks [68, 2] that the predictor reads in boxes [N, 4], and their spread.

        A reading depends on its box, so there are several, here and there. The mean of those
        readings that agree is steadier, and a box that is off the face does not influence it. The
        spread is their median distance from the median, in pixels of the view: a third of a pixel
        on a face, several where there is none. `frame` [H, W, 3].
        """
        points = self._readings(frame, view, boxes)
        distances = np.linalg.norm(points - np.median(points, axis=0), axis=2).mean(1)
        spread = float(np.median(distances))
        agreed = points[distances <= max(OUTLIER_DISTANCE, OUTLIER_RATIO * spread)]
        return view.from_unit(agreed.mean(0) / VIEW_SIZE), spread


def _safe_for_dlib(frame: Picture) -> Picture:
    """Return the frame [H, W, 3] as dlib takes it; what would corrupt its memory is refused."""
    check_picture_size(frame.shape[1], frame.shape[0])
    return np.ascontiguousarray(frame)


def _scaled(box: dlib.rectangle, factor: int) -> dlib.rectangle:
    return dlib.rectangle(*(factor * x for x in (box.left(), box.top(), box.right(), box.bottom())))


def _middle(points: Landmarks) -> NDArray[np.float64]:
    """Return the centre [2] of the bounding box of landmarks [68, 2]."""
    return np.asarray((points.min(0) + points.max(0)) / 2, np.float64)


def _view_of(points: Landmarks, roll: float) -> Alignment:
    """Return a view of a head with landmarks [68, 2], rolled by `roll` radians."""
    turned = Alignment(0.0, 0.0, 1.0, roll)
    level = turned.to_unit(points)
    x, y = turned.from_unit(_middle(level)[None])[0]
    side = VIEW_MARGIN * float((level.max(0) - level.min(0)).max())
    return Alignment(float(x), float(y), side, roll)


def _overlap(a: dlib.rectangle, b: dlib.rectangle) -> float:
    """Return the intersection of two boxes over their union, 0 to 1."""
    shared = float(a.intersect(b).area())
    return shared / float(a.area() + b.area() - shared)


class FaceEmbedder:
    """dlib's face recognition network: two embeddings of one person are less than 0.6 apart."""

    def __init__(self, network: Path) -> None:
        """`network` is dlib's dlib_face_recognition_resnet_model_v1.dat."""
        self._network = _loaded(dlib.face_recognition_model_v1, str(network))

    def __call__(self, frame: Picture, points: Landmarks) -> NDArray[np.float64]:
        """Return the embedding [128] of the face with landmarks [68, 2] in the frame's pixels.

        Raises FacecodecError for a frame, uint8 [H, W, 3], of a size that dlib cannot work on.
        """
        frame = _safe_for_dlib(frame)
        parts = [dlib.point(int(x), int(y)) for x, y in points]
        shape = dlib.full_object_detection(box_of(points), parts)
        return np.array(self._network.compute_face_descriptor(frame, shape), dtype=np.float64)
