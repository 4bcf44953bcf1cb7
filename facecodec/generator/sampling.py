"""Faces drawn from the generator, with the landmarks and signals that can be read off them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.errors import NoFaceError
from facecodec.face.signals import all_signals
from facecodec.generator.base import Generator
from facecodec.pixels import to_uint8
from facecodec.progress import Progress

# uint8 picture [H, W, 3] -> landmarks [68, 2] in its pixels, or None without a face
FindLandmarks = Callable[[NDArray[np.uint8]], NDArray[np.float64] | None]

PICTURE_SIZE = 256  # side in pixels of the faces that are drawn
MIN_FACES = 10


@dataclass(frozen=True)
class Sample:
    """Faces of the generator: w [N, 512], landmarks [N, 68, 2] at 256x256, signals [N, 6]."""

    w: Tensor
    landmarks: NDArray[np.float64]
    signals: NDArray[np.float64]


def draw_latents(generator: Generator, count: int, seed: int, truncation: float) -> Tensor:
    """Return w [count, 512] of seeded noise, pulled toward the mean: 1.0 none, 0.0 all the way."""
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal((count, 512))
    with torch.no_grad():
        z = torch.tensor(noise, dtype=torch.float32).to(generator.w_mean.device)
        w = generator.mapping(z)
    return generator.w_mean + truncation * (w - generator.w_mean)


def draw_faces(
    generator: Generator,
    find: FindLandmarks,
    count: int,
    seed: int,
    truncation: float = 0.8,
    progress: Progress | None = None,
) -> Sample:
    """Render `count` seeded faces small and keep those in which a face is found.

    Raises NoFaceError when they are fewer than MIN_FACES.
    """
    w = draw_latents(generator, count, seed, truncation)
    kept, points = [], []
    for start in range(0, count, 4):
        batch = w[start : start + 4]
        with torch.no_grad():
            small = generator.preview(generator.styles(generator.broadcast(batch)), PICTURE_SIZE)
        for i, picture in enumerate(to_uint8(small)):
            found = find(picture)
            if found is not None:
                kept.append(start + i)
                points.append(found)
        if progress:
            progress("faces", min(start + 4, count), count)
    if len(kept) < MIN_FACES:
        raise NoFaceError(
            f"{generator.name} drew {len(kept)} faces in {count} pictures, and a rig needs "
            f"{MIN_FACES}: is it a generator of faces?"
        )
    landmarks = np.stack(points)
    return Sample(w[torch.tensor(kept)], landmarks, np.stack([all_signals(p) for p in landmarks]))
