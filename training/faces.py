"""Faces of the default generator, at random controls: what the networks here are trained on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

import cuda_ops
from facecodec.generator.sampling import draw_latents
from facecodec.models import landmark_finder, load_models
from facecodec.weights.catalogue import DEFAULT_GENERATOR

DRAWN_SIZE = 256  # side in pixels at which faces are drawn, and landmarks found in them
TRUNCATION = 0.85
POSE_SPREAD, OFFSET_SPREADS = 1.2, (0.7, 1.8)  # standard deviations of controls


def draw(count: int, seed: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return generated faces [N, size, size, 3] and their landmarks [N, 68, 2], 0 to 1.

    size: 256, or a whole part of it. Faces in which no landmarks are found are left out.
    """
    generator, rig = load_models(DEFAULT_GENERATOR, None, "cpu")
    basis, find = rig.basis(generator), landmark_finder()
    rng = np.random.default_rng(seed)
    faces, landmarks = [], []
    each = DRAWN_SIZE // size
    with torch.inference_mode(), cuda_ops.roughly():
        for w in draw_latents(generator, count, seed, TRUNCATION):
            moved = rng.standard_normal(len(rig.names))
            moved[:3] *= POSE_SPREAD
            moved[3:] *= rng.choice(OFFSET_SPREADS)
            rows = w[None, None].expand(1, generator.num_ws, -1)
            styles = generator.styles(rows) + torch.from_numpy(moved).float()[None] @ basis
            picture = cuda_ops.rgb8(generator.preview(styles, DRAWN_SIZE))[0].numpy()
            find.reset()
            points = find(picture)
            if points is not None:
                means = picture.reshape(size, each, size, each, 3).mean((1, 3))
                faces.append(means.round().astype(np.uint8))
                landmarks.append(points / DRAWN_SIZE)
    return np.array(faces), np.array(landmarks)
