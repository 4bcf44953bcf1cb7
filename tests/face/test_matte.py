"""The matte finds the person and the head in a square."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.face.alignment import ffhq_alignment
from facecodec.face.crop import crop
from facecodec.face.mask import face_mask
from facecodec.face.matte import GUIDE_RADIUS, _window_means, along_edges, edge_lines, matte
from facecodec.video.reader import VideoReader

SIZE = 256


@pytest.fixture(scope="module")
def face(sample, finder):
    """Return the first square of the sample, [3, S, S], and its inner face."""
    finder.reset()
    with VideoReader(sample) as reader:
        frame = next(reader.frames()).image
    points = finder(frame)
    place = ffhq_alignment(points)
    square = crop(frame, place, SIZE)
    inner = face_mask(place.to_unit(points) * SIZE, SIZE)
    return torch.from_numpy(square).permute(2, 0, 1).float(), torch.from_numpy(inner)


def test_face_is_head_and_the_upper_corners_are_not(face):
    square, inner = face
    found = matte(square)
    for alpha in found:
        assert alpha.shape == (SIZE, SIZE)
        assert alpha.min() >= 0 and alpha.max() <= 1
        assert alpha[inner].mean() > 0.95
        assert alpha[: SIZE // 8, : SIZE // 8].mean() < 0.1
    assert found.head[-SIZE // 16 :].mean() < found.person[-SIZE // 16 :].mean() / 2


def test_another_room_leaves_the_same_head(face):
    square, _ = face
    found = matte(square)
    for level in (30.0, 225.0):
        other = matte(level + found.person * (square - level))
        assert (other.person - found.person).abs().mean() < 0.04


def test_a_small_matte_is_enlarged_along_the_edges_of_its_square():
    axis = torch.arange(SIZE, dtype=torch.float32)
    square = torch.where(axis < 101, 30.0, 200.0).expand(3, SIZE, SIZE)
    small = torch.nn.functional.avg_pool2d(square[None], 4)[0]
    blurred = (torch.arange(64, dtype=torch.float32) - 21.25).div(8).clamp(0, 1).expand(1, 64, 64)
    lines = torch.nn.functional.interpolate(edge_lines(blurred, small)[None], (SIZE, SIZE))[0]
    fine = along_edges(lines, square)[0, 100]
    assert np.diff(fine.numpy())[100] > 0.3  # the step is where the square has it
    assert fine[80] < 0.25 and fine[122] > 0.75


def test_means_over_windows():
    maps = torch.rand(2, 40, 40)
    padded = torch.nn.functional.pad(maps[None], [GUIDE_RADIUS] * 4, mode="replicate")
    wanted = torch.nn.functional.avg_pool2d(padded, 2 * GUIDE_RADIUS + 1, 1)[0]
    assert (_window_means(maps) - wanted).abs().max() < 1e-5
