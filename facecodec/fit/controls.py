"""Controls [num_controls] as numbers: values by kind, distances, and likely ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.signals import NUM_POSE

OFFSET_DISTANCE = 0.2  # what one of an offset adds to the distance of two derivatives, pose: 1


def tensor(array: NDArray[Any]) -> Tensor:
    """Return an array [...] as a tensor in memory of torch's own, where sums are as they were."""
    return torch.from_numpy(array).clone()


def pose_distance(a: Tensor, b: Tensor) -> float:
    """Return the distance of two controls [num_controls], in standard deviations of pose.

    Offsets count little in it: derivatives depend on them far less than on the pose.
    """
    change = a - b
    change = torch.cat([change[:NUM_POSE], OFFSET_DISTANCE * change[NUM_POSE:]])
    return float(change.norm())


def typical_controls(count: int, renders: int, known: Tensor | None) -> Tensor:
    """Return controls [renders, count] at which to correct a preview.

    First rest, then as many of `known` [K, count] as there is room for, then seeded random ones.
    """
    noise = np.random.Generator(np.random.PCG64(0)).standard_normal((renders, count))
    noise[0] = 0.0
    drawn = torch.from_numpy(noise)
    if known is not None:
        first = known[: renders - 1].double().cpu()
        drawn[1 : 1 + len(first)] = first
    return drawn.float()


def per_control(pair: tuple[float, float], count: int) -> Tensor:
    """Return a value for each of `count` controls, [count]: the first of `pair` for pose."""
    values = [pair[0]] * NUM_POSE + [pair[1]] * (count - NUM_POSE)
    return torch.tensor(values, dtype=torch.float64)
