"""What live tracking learns of a person before their first frame, as named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cuda_ops
from facecodec.face.layout import NUM_LANDMARKS
from facecodec.face.signals import NUM_POSE
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.objective import Target, inner_weights, weight_map
from facecodec.fit.photometric import Linearisation, TrackingPlan, pyramid_values
from facecodec.generator.base import Generator
from facecodec.generator.preview import PersonalPreview
from facecodec.generator.short_preview import ShortPreview, can_draw, weight_shape
from facecodec.types import Landmarks

Arrays = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Preparation:
    """What a tracker of a person may begin with.

    preview_error [3, S, S]: the mean error of their previews. preview_weight [3 or 12, C]: what
    short previews are drawn by, None for others. derivative: of their picture, for all controls.
    guide: what their landmarks say; None where their face cannot be read.
    """

    preview_error: Tensor
    preview_weight: Tensor | None
    derivative: Linearisation
    guide: LandmarkGuide | None

    def preview(self, generator: Generator, size: int) -> PersonalPreview:
        """Return the person's previews of `size` pixels by their generator."""
        if self.preview_weight is None:
            return PersonalPreview(generator, size, self.preview_error)
        return ShortPreview(generator, size, self.preview_weight, self.preview_error)

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """Return it as arrays by name, on the CPU; see `from_arrays`."""
        result: dict[str, NDArray[np.floating]] = {
            "preview_error": self.preview_error.cpu().numpy(),
            "derivative": self.derivative.jacobian.cpu().numpy(),
        }
        if self.preview_weight is not None:
            result["preview_weight"] = self.preview_weight.cpu().numpy()
        if self.guide is not None:
            result["landmarks"] = self.guide.mean
            result["landmark_derivative"] = self.guide.derivative
        # safetensors writes memory as it lies, whatever the strides say
        return {name: np.ascontiguousarray(array) for name, array in result.items()}

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, generator: Generator, count: int, plan: TrackingPlan
    ) -> Preparation:
        """Return what `arrays` gave: of `count` controls, for a tracker with this plan.

        Arrays [...] of the shapes that `arrays` has. Raises ValueError for others, and for values
        that are not finite.
        """
        needed = _shapes(generator, count, plan)
        read = {name: needed.pop(name) for name in ("landmarks", "landmark_derivative")}
        if set(arrays) not in (set(needed), {*needed, *read}):
            raise ValueError(f"arrays {sorted(arrays)}")
        for name, array in arrays.items():
            shape, kind = {**needed, **read}[name]
            if array.shape != shape or array.dtype != kind or not np.isfinite(array).all():
                raise ValueError(f"{name}: {array.dtype} {array.shape}")
        device = generator.w_mean.device
        own = {
            name: torch.from_numpy(np.array(arrays[name], order="C")).to(device) for name in needed
        }
        rest = torch.zeros(count, dtype=torch.float64)
        derivative = Linearisation(rest, own["derivative"], rest[:NUM_POSE].clone())
        guide = None
        if "landmarks" in arrays:
            guide = LandmarkGuide(
                np.ascontiguousarray(arrays["landmark_derivative"], np.float64),
                np.ascontiguousarray(arrays["landmarks"], np.float64),
            )
        return cls(own["preview_error"], own.get("preview_weight"), derivative, guide)


def _shapes(
    generator: Generator, count: int, plan: TrackingPlan
) -> dict[str, tuple[tuple[int, ...], type]]:
    """Return the shape and type of every array."""
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "preview_error": ((3, plan.size, plan.size), np.float32),
        "derivative": ((pyramid_values(plan.size), count), np.float32),
        "landmarks": ((NUM_LANDMARKS, 2), np.float64),
        "landmark_derivative": ((2 * NUM_LANDMARKS, count), np.float64),
    }
    if plan.short_previews and can_draw(generator, plan.size):
        shapes["preview_weight"] = weight_shape(generator, plan.size), np.float32
    return shapes


def personal_preview(
    generator: Generator, styles: Tensor, plan: TrackingPlan, landmarks: Landmarks | None
) -> PersonalPreview:
    """Return previews of a person of whom `styles` [N, num_styles] are `plan.preview_renders`.

    `landmarks` [68, 2]: see `Tracker`.
    """
    if not (plan.short_previews and can_draw(generator, plan.size)):
        return PersonalPreview.measured(generator, styles, plan.size)
    weights: Tensor | None = None
    if landmarks is not None:
        size = plan.size
        at_rest = Target(torch.zeros(3, size, size), weight_map(landmarks, size), landmarks)
        weights = inner_weights(at_rest)[0].to(styles.device)
    with cuda_ops.roughly():
        return ShortPreview.fitted(generator, styles, plan.size, weights)
