"""What live tracking learns of a person before their first frame, as named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.layout import NUM_LANDMARKS
from facecodec.face.signals import NUM_POSE
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.photometric import Linearisation, TrackingPlan, pyramid_values

Arrays = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Preparation:
    """What a tracker of a person may begin with.

    preview_error [3, S, S]: the mean error of their previews. derivative: of their picture, for all
    controls. guide: what their landmarks say; None where their face cannot be read.
    """

    preview_error: Tensor
    derivative: Linearisation
    guide: LandmarkGuide | None

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """Return it as arrays by name, on the CPU; see `from_arrays`."""
        result: dict[str, NDArray[np.floating]] = {
            "preview_error": self.preview_error.cpu().numpy(),
            "derivative": self.derivative.jacobian.cpu().numpy(),
        }
        if self.guide is not None:
            result["landmarks"] = self.guide.mean
            result["landmark_derivative"] = self.guide.derivative
        # safetensors writes memory as it lies, whatever the strides say
        return {name: np.ascontiguousarray(array) for name, array in result.items()}

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, count: int, plan: TrackingPlan, device: torch.device
    ) -> Preparation:
        """Return what `arrays` gave: of `count` controls, for a tracker with this plan.

        Arrays [...] of the shapes that `arrays` has. Raises ValueError for others, and for values
        that are not finite.
        """
        shapes: dict[str, tuple[tuple[int, ...], type]] = {
            "preview_error": ((3, plan.size, plan.size), np.float32),
            "derivative": ((pyramid_values(plan.size), count), np.float32),
            "landmarks": ((NUM_LANDMARKS, 2), np.float64),
            "landmark_derivative": ((2 * NUM_LANDMARKS, count), np.float64),
        }
        if set(arrays) not in (set(shapes), {"preview_error", "derivative"}):
            raise ValueError(f"arrays {sorted(arrays)}")
        for name, array in arrays.items():
            shape, kind = shapes[name]
            if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
                raise ValueError(f"{name}: {array.dtype} {array.shape}")
        error = torch.from_numpy(np.array(arrays["preview_error"], order="C")).to(device)
        jacobian = torch.from_numpy(np.array(arrays["derivative"], order="C")).to(device)
        rest = torch.zeros(count, dtype=torch.float64)
        guide = None
        if "landmarks" in arrays:
            guide = LandmarkGuide(
                np.ascontiguousarray(arrays["landmark_derivative"], np.float64),
                np.ascontiguousarray(arrays["landmarks"], np.float64),
            )
        return cls(error, Linearisation(rest, jacobian, rest[:NUM_POSE].clone()), guide)
