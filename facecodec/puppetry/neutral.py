"""The neutral face of a source whose picture shows them with a grin or a wink.

What expression a face wears is told from its landmarks by a linear map to the rig's controls,
fitted on generated faces (`training/neutral.py`), together with what faces with shut lips look like
on average. Controls that take a source from theirs to that make their neutral face.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecodec.errors import UsageError
from facecodec.face.expression import NUM_FEATURES
from facecodec.fit.retargeting import ReadFeatures
from facecodec.rig.rig import Rig
from facecodec.types import Floats

SOURCE_RESTS = ("keep", "neutral")  # the source as pictured, or their neutral face
MAP = Path(__file__).with_name("neutral.map")  # JSON
STEPS = 3  # each goes on from what the last one left
LARGEST_CONTROL = 3.0  # standard deviations of a control of a neutral face


@dataclass(frozen=True)
class Neutral:
    """What tells the neutral face of anybody, for one rig.

    rig_sha256: whose. reading: float64 [K, 50], the controls that a change of the features
    (`facecodec.face.expression`) stands for; 0 for pose and gaze. features: [50], those of faces
    with shut lips, on average.
    """

    rig_sha256: str
    reading: Floats
    features: Floats

    @classmethod
    def of_rig(cls, rig: Rig) -> Neutral:
        """Return the map that ships for a rig. Raises UsageError where there is none."""
        told = json.loads(MAP.read_text(encoding="utf-8"))
        if told["rig_sha256"] != rig.sha256:
            raise UsageError(
                f"rig {rig.sha256[:12]} has no neutral face, {told['rig_sha256'][:12]} has; "
                "keep the source's rest",
                argument="source_rest",
            )
        reading, features = np.array(told["reading"]), np.array(told["features"])
        if reading.shape != (len(rig.names), NUM_FEATURES) or features.shape != (NUM_FEATURES,):
            raise UsageError(f"{MAP}: does not fit its rig; install facecodec again")
        return cls(told["rig_sha256"], reading, features)

    def save(self, path: Path) -> None:
        """Write the map as JSON, to five decimals."""
        told = {
            "rig_sha256": self.rig_sha256,
            "features": np.round(self.features, 3).tolist(),
            "reading": np.round(self.reading, 5).tolist(),
        }
        path.write_text(json.dumps(told).replace("], [", "],\n[") + "\n", encoding="utf-8")

    def controls(self, face: ReadFeatures) -> Floats:
        """Return the controls [K] of the neutral face of whom `face` reads; 0 where none is read.

        Pose and gaze are 0: the head stays as it is pictured.
        """
        controls = np.zeros(len(self.reading))
        for _ in range(STEPS):
            seen = face(controls[None])[0]
            if not np.isfinite(seen).all():
                break
            moved = controls + self.reading @ (self.features - seen)
            controls = np.clip(moved, -LARGEST_CONTROL, LARGEST_CONTROL)
        return controls
