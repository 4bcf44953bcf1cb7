"""Blendshapes: the 52 weights by which face trackers and animation programs tell expressions.

Their names are those of ARKit's `ARFaceAnchor.BlendShapeLocation`, each 0 (at rest) to 1 (all the
way). A linear map of a rig's controls stands for them, fitted on generated faces by
`training/blendshapes.py`; its inverse is the most likely face that has them. Pose is no blendshape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecodec.errors import UsageError
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.types import Controls, Floats

_BOTH = (
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
    "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown",
    "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
_ONCE = (
    "browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "tongueOut",
)  # fmt: skip
NAMES = tuple(sorted([*_ONCE, *(name + side for name in _BOTH for side in ("Left", "Right"))]))
NUM_SHAPES = 52
MAP = Path(__file__).with_name("blendshapes.map")  # JSON, but no rig
CONTROL_SPREAD = 1.5  # standard deviations of a control, of faces that blendshapes ask for


@dataclass(frozen=True)
class Blendshapes:
    """The map of one rig.

    rig_sha256: whose. effects: float64 [52, K], what each control adds to each blendshape, in the
    order of `NAMES`; 0 for pose. noise: float64 [52], the standard deviation of the map's errors.
    """

    rig_sha256: str
    effects: Floats
    noise: Floats

    @classmethod
    def of_rig(cls, rig: Rig) -> Blendshapes:
        """Return the map that ships for a rig. Raises UsageError where there is none."""
        told = json.loads(MAP.read_text(encoding="utf-8"))
        if told["rig_sha256"] != rig.sha256:
            raise UsageError(
                f"rig {rig.sha256[:12]} has no map to blendshapes; {told['rig_sha256'][:12]} has"
            )
        return cls(told["rig_sha256"], np.array(told["effects"]), np.array(told["noise"]))

    def save(self, path: Path) -> None:
        """Write the map as JSON, to four decimals."""
        rows = ",\n".join(json.dumps([round(v, 4) for v in row]) for row in self.effects.tolist())
        noise = json.dumps([round(v, 4) for v in self.noise.tolist()])
        text = (
            f'{{"rig_sha256": "{self.rig_sha256}",\n"noise": {noise},\n"effects": [\n{rows}\n]}}\n'
        )
        path.write_text(text, encoding="utf-8")

    def of(self, controls: Controls | Floats) -> Floats:
        """Return the blendshapes [..., 52] of controls [..., K], 0 to 1."""
        weights: Floats = np.clip(controls.astype(np.float64) @ self.effects.T, 0, 1)
        return weights

    def controls(self, shapes: Floats) -> Controls:
        """Return the controls [..., K] of a face that has blendshapes [..., 52]; pose is 0.

        The most likely ones, where controls are normal with `CONTROL_SPREAD` and blendshapes are
        the map's with its noise: ridge regression.
        """
        scaled = self.effects / self.noise[:, None]
        normal = scaled.T @ scaled + np.eye(self.effects.shape[1]) / CONTROL_SPREAD**2
        inverse = np.linalg.solve(normal, scaled.T / self.noise)
        result: Controls = (np.asarray(shapes, np.float64) @ inverse.T).astype(np.float32)
        result[..., :NUM_POSE] = 0
        return result
