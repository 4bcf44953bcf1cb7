"""Faces drawn from the generator, with their landmarks and signals."""

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
LEAST_FACES = 10  # that a rig can be made from
BATCH = 4  # faces that are rendered at once
TRUNCATION = 0.8  # of drawn faces: most are free of artefacts


@dataclass(frozen=True)
class Sample:
    """Faces of the generator, with what their pictures of `PICTURE_SIZE` show."""

    w: Tensor  # [N, w_dim]
    landmarks: NDArray[np.float64]  # [N, 68, 2] in pixels
    signals: NDArray[np.float64]  # [N, 6]


def draw_latents(generator: Generator, count: int, seed: int, truncation: float) -> Tensor:
    """Return w [count, w_dim] of seeded noise, moved towards the mean of W.

    `truncation` is the share of the distance that is left: 1 moves nothing, 0 everything to the
    mean (Karras et al. 2019, arXiv 1812.04948, appendix B).
    """
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal((count, generator.w_dim))
    with torch.no_grad():
        z = torch.tensor(noise, dtype=torch.float32).to(generator.w_mean.device)
        w = generator.mapping(z)
    return generator.w_mean + truncation * (w - generator.w_mean)


def draw_faces(
    generator: Generator,
    find: FindLandmarks,
    count: int,
    seed: int,
    truncation: float = TRUNCATION,
    progress: Progress | None = None,
) -> Sample:
    """Render `count` seeded faces small, and return those in which `find` sees a face.

    Raises NoFaceError when they are fewer than `LEAST_FACES`.
    """
    w = draw_latents(generator, count, seed, truncation)
    kept, points = [], []
    for start in range(0, count, BATCH):
        batch = w[start : start + BATCH]
        with torch.no_grad():
            small = generator.preview(generator.styles(generator.broadcast(batch)), PICTURE_SIZE)
        for i, picture in enumerate(to_uint8(small)):
            landmarks = find(picture)
            if landmarks is not None:
                kept.append(start + i)
                points.append(landmarks)
        if progress:
            progress("faces", min(start + BATCH, count), count)
    if len(kept) < LEAST_FACES:
        raise NoFaceError(
            f"{generator.name} drew {len(kept)} faces in {count} pictures, and a rig needs "
            f"{LEAST_FACES}: is it a generator of faces?"
        )
    signals = np.stack([all_signals(p) for p in points])
    return Sample(w[torch.tensor(kept)], np.stack(points), signals)
