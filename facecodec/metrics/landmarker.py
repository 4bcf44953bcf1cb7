"""MediaPipe's face landmarker: action units, gaze and head pose of a picture.

Needs PyPI `mediapipe` (extra `facecodec[eval]`) and its model file `face_landmarker.task`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.errors import FacecodecError, ModelError
from facecodec.types import Picture

Values = NDArray[np.float64]

NUM_UNITS = 43  # action units: of 52 blendshapes eight are gaze and one is "neutral"
HOW_PACKAGE = "pip install 'facecodec[eval]'"
HOW_FILE = "face_landmarker.task, from MediaPipe's model page"


def missing(model: Path | None) -> str | None:
    """Return what the landmarker needs and how to get it, or None when it can run."""
    if model is None:
        return f"needs MediaPipe's face landmarker: {HOW_FILE}"
    try:
        import mediapipe  # noqa: F401
    except ImportError:
        return f"needs the mediapipe package: {HOW_PACKAGE}"
    return None


class Landmarker:
    """Reads the signals of one face per picture; a context manager.

    Pictures are read one by one (MediaPipe's image mode): its video mode smooths over time and
    would hide jitter.
    """

    def __init__(self, model: Path) -> None:
        """`model` is MediaPipe's face_landmarker.task. Raises ModelError when it cannot run."""
        lack = missing(model)
        if lack:
            raise ModelError(f"the face landmarker {lack}")
        if not model.is_file():
            raise ModelError(f"{model}: no such file; {HOW_FILE}", argument="face_landmarker")
        os.environ.setdefault("GLOG_minloglevel", "2")  # its start-up chatter
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self._mediapipe = mediapipe
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=vision.RunningMode.IMAGE,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise FacecodecError(f"{model}: not a face landmarker model ({error})") from error

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()

    def __call__(self, picture: Picture) -> Signals:
        """Return the signals of the face in uint8 RGB [H, W, 3]; NaN when there is none."""
        return Signals.of(self._detect(picture))

    def scores(self, picture: Picture) -> dict[str, float]:
        """Return the scores of all blendshapes, 0 to 1, by name; none where there is no face."""
        found = self._detect(picture).face_blendshapes
        return {shape.category_name: shape.score for shape in found[0]} if found else {}

    def _detect(self, picture: Picture) -> Any:
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
        )
        return self._landmarker.detect(image)


class Signals:
    """The landmarker's signals of one picture: action units [43], gaze [2], pose [3] in degrees."""

    def __init__(self, units: Values, gaze: Values, pose: Values) -> None:
        self.units, self.gaze, self.pose = units, gaze, pose

    @classmethod
    def of(cls, result: Any) -> Signals:
        """Read a detection result; NaN everywhere when it holds no face."""
        if not result.face_blendshapes or not result.facial_transformation_matrixes:
            return cls(*(np.full(n, np.nan) for n in (NUM_UNITS, 2, 3)))
        scores = {shape.category_name: shape.score for shape in result.face_blendshapes[0]}
        units = [
            scores[name]
            for name in sorted(scores)
            if name != "_neutral" and not name.startswith("eyeLook")
        ]
        return cls(
            np.array(units, np.float64),
            gaze_of(scores),
            angles(np.asarray(result.facial_transformation_matrixes[0], np.float64)),
        )


def gaze_of(scores: dict[str, float]) -> Values:
    """Return the gaze [2] in the head, to the right and up, -1 to 1, from blendshape scores."""
    right = (
        scores["eyeLookOutRight"] - scores["eyeLookInRight"]
        + scores["eyeLookInLeft"] - scores["eyeLookOutLeft"]
    )  # fmt: skip
    up = (
        scores["eyeLookUpRight"] - scores["eyeLookDownRight"]
        + scores["eyeLookUpLeft"] - scores["eyeLookDownLeft"]
    )  # fmt: skip
    return np.array([right / 2, up / 2])


def angles(matrix: Values) -> Values:
    """Return yaw, pitch and roll [3] in degrees of a pose [4, 4] with the rotation R = Ry Rx Rz."""
    rotation = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[1, 2], -1, 1))
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    result: Values = np.degrees(np.array([yaw, pitch, roll]))
    return result
