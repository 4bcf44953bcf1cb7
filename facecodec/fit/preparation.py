"""What live tracking learns of a person before their first frame, as named arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.layout import NUM_LANDMARKS
from facecodec.face.signals import NUM_POSE
from facecodec.fit.derivatives import PREPARED_PLACES
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.photometric import Linearisation, TrackingPlan, pyramid_values

Arrays = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Preparation:
    """What a tracker of a person may begin with.

    preview_error [3, S, S]: the mean error of their previews. derivatives: of their picture, at
    rest and turned. guide: what their landmarks say; None where their face cannot be read.
    """

    preview_error: Tensor
    derivatives: Sequence[Linearisation]
    guide: LandmarkGuide | None

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """Return it as arrays by name, on the CPU; see `from_arrays`."""
        known = {
            "preview_error": self.preview_error,
            "places": torch.stack([entry.controls for entry in self.derivatives]),
            "poses": torch.stack([entry.pose for entry in self.derivatives]),
            "jacobians": torch.stack([entry.jacobian for entry in self.derivatives]),
        }
        result = {name: value.cpu().numpy() for name, value in known.items()}
        if self.guide is not None:
            result["guide"] = self.guide.solution
        return result

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, count: int, plan: TrackingPlan, device: torch.device
    ) -> Preparation:
        """Return what `arrays` gave: of `count` controls, for a tracker with this plan.

        Arrays [...] of the shapes that `arrays` has. Raises ValueError for others, and for values
        that are not finite.
        """
        places, values = PREPARED_PLACES, pyramid_values(plan.size)
        shapes: dict[str, tuple[tuple[int, ...], type]] = {
            "preview_error": ((3, plan.size, plan.size), np.float32),
            "places": ((places, count), np.float64),
            "poses": ((places, NUM_POSE), np.float64),
            "jacobians": ((places, values, count), np.float32),
            "guide": ((count, 2 * NUM_LANDMARKS), np.float64),
        }
        if set(arrays) not in (set(shapes), set(shapes) - {"guide"}):
            raise ValueError(f"arrays {sorted(arrays)}")
        for name, array in arrays.items():
            shape, kind = shapes[name]
            if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
                raise ValueError(f"{name}: {array.dtype} {array.shape}")
        known = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        entries = [
            Linearisation(place, jacobian.to(device), pose)
            for place, jacobian, pose in zip(
                known["places"], known["jacobians"], known["poses"], strict=True
            )
        ]
        guide = LandmarkGuide(known["guide"].numpy()) if "guide" in known else None
        return cls(known["preview_error"].to(device), entries, guide)
