"""Rigs are discovered for StyleGAN2 networks as for the default one."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.errors import NoFaceError
from facecodec.generator.stylegan2 import StyleGAN2
from facecodec.generator.stylegan2_layout import Layout
from facecodec.rig.measurement import measure, rig_by_sensitivity
from tests.helpers.checkpoints import SMALL, random_tensors


def build(layout: Layout) -> StyleGAN2:
    network = StyleGAN2.from_tensors(random_tensors(layout), "random", "0" * 64)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def small() -> StyleGAN2:
    return build(SMALL)


# first and last landmark, centre, radius and turns of the arc they lie on, from its left end
ARCS = [
    (0, 17, 128, 120, 90, 0.5), (17, 27, 128, 110, 50, -0.5), (27, 36, 128, 140, 20, 0.5),
    (36, 42, 95, 110, 12, 1), (42, 48, 161, 110, 12, 1), (48, 60, 128, 180, 25, 1),
    (60, 68, 128, 180, 20, 1),
]  # fmt: skip


def find(picture: np.ndarray) -> np.ndarray:
    """Sixty-eight points where a face has them, moved a little by the picture's content."""
    points = np.random.default_rng(int(picture.sum())).normal(0, 2, (68, 2))
    for first, last, x, y, radius, turns in ARCS:
        angle = np.pi - np.linspace(0, 2 * np.pi * turns, last - first, endpoint=turns == 0.5)
        points[first:last] += np.c_[x + radius * np.cos(angle), y + radius * np.sin(angle)]
    return points


def test_discover_works_unchanged(small):
    measured = measure(small, find, samples=40, faces=2, probes=1)
    rig = rig_by_sensitivity(small, measured, samples=40, seed=0)
    assert len(rig.names) == 35
    assert rig.basis(small).shape == (35, small.num_styles)
    assert {offset.layer for offset in rig.offsets} <= {layer.name for layer in small.layers}


def test_noise_without_faces_is_one_clear_error(small):
    with pytest.raises(NoFaceError, match="random drew 0 faces in 12 pictures"):
        measure(small, lambda picture: None, samples=12)
