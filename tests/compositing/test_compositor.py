"""A square laid into a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facecodec.compositing import compiled, painting
from facecodec.compositing.alpha import feathered
from facecodec.compositing.compositor import Compositor, coverage
from facecodec.face.alignment import Alignment, ffhq_alignment
from facecodec.face.crop import crop
from facecodec.video.reader import VideoReader
from tests.helpers.pictures import smooth_picture


def unit_of(place: Alignment, height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    points = np.stack([columns + 0.5, rows + 0.5], -1).reshape(-1, 2)
    return place.to_unit(points).reshape(height, width, 2)


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_what_is_laid_back_is_what_was_cut_out(angle):
    frame = smooth_picture(200, 260)
    place = Alignment(130, 100, 120, angle)
    square = crop(frame, place, 120)
    back = Compositor().lay(np.zeros_like(frame), square, place, feathered(120))
    away = np.abs(unit_of(place, 200, 260) - 0.5).max(-1)
    assert np.abs(back[away < 0.4].astype(int) - frame[away < 0.4]).mean() < 2
    assert (back[away > 0.51] == 0).all()  # outside the square the frame is untouched


def test_alpha_says_how_much_is_covered():
    frame = smooth_picture(120, 160)
    place = Alignment(70, 60, 80, 0.2)
    square = np.full((64, 64, 3), 255, np.uint8)
    laid = Compositor().lay(frame, square, place, np.full((64, 64), 0.5, np.float32))
    inside = np.abs(unit_of(place, 120, 160) - 0.5).max(-1) < 0.49
    assert laid[inside] == pytest.approx((frame[inside].astype(float) + 255) / 2, abs=1)
    covered = coverage(np.full((64, 64), 0.5, np.float32), place, (160, 120))
    assert covered.shape == (120, 160)
    assert covered[inside] == pytest.approx(0.5)
    assert not covered[np.abs(unit_of(place, 120, 160) - 0.5).max(-1) > 0.51].any()


@pytest.mark.parametrize("centre", [(-500.0, 50.0), (50.0, 900.0), (0.0, 0.0), (159.0, 119.0)])
def test_a_square_over_the_edge_or_outside(centre):
    frame = smooth_picture(120, 160)
    place = Alignment(*centre, 90.0, 0.3)
    square = np.full((32, 32, 3), 200, np.uint8)
    laid = Compositor().lay(frame, square, place)
    assert laid.shape == frame.shape
    touched = (laid != frame).any(-1)
    outside = np.abs(unit_of(place, 120, 160) - 0.5).max(-1) > 0.5
    assert not touched[outside].any()
    assert not coverage(feathered(32), place, (160, 120))[outside].any()
    assert touched.any() != outside.all()


def test_a_square_of_no_size_is_not_laid():
    frame = smooth_picture(40, 40)
    square = np.zeros((8, 8, 3), np.uint8)
    for size in (0.0, 1.0):
        assert Compositor().lay(frame, square, Alignment(20, 20, size, 0)) is frame
        assert not coverage(feathered(8), Alignment(20, 20, size, 0), (40, 40)).any()


def test_the_frame_given_is_not_changed():
    frame = smooth_picture(60, 60)
    frame.flags.writeable = False
    before = frame.copy()
    Compositor().lay(frame, np.zeros((16, 16, 3), np.uint8), Alignment(30, 30, 30, 0))
    assert (frame == before).all()


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_head_laid_in_bands_is_the_same(sample, finder, monkeypatch, angle):
    finder.reset()
    with VideoReader(sample) as reader:
        frame = next(reader.frames()).image
    place = replace(ffhq_alignment(finder(frame)), angle=angle)
    square, wall = crop(frame, place, 256), np.full_like(frame, 90)
    laid = []
    monkeypatch.setattr(compiled, "library", lambda: None)
    for pixels in (1, 5000, 1 << 30):
        monkeypatch.setattr(painting, "BAND_PIXELS", pixels)
        laid.append(Compositor(same_scene=False).lay(wall, square, place))
    assert (laid[2] != wall).any(-1).mean() > 0.1
    for other in laid[:2]:
        assert np.abs(other.astype(int) - laid[2]).max() <= 1


def test_what_is_added_to_a_head_shows(sample, finder):
    finder.reset()
    with VideoReader(sample) as reader:
        frame = next(reader.frames()).image
    place = ffhq_alignment(finder(frame))
    square = crop(frame, place, 256)
    plain, lit = (
        Compositor().lay(frame, square, place, light=torch.full((3, 128, 128), light))
        for light in (0.0, 20.0)
    )
    middle = np.s_[int(place.y) - 8 : int(place.y) + 8, int(place.x) - 8 : int(place.x) + 8]
    assert (lit[middle].astype(int) - plain[middle]).mean() == pytest.approx(20, abs=1)
    assert (lit[-4:, :4] == plain[-4:, :4]).all()  # no head


def test_a_head_shows_as_much_as_it_is_trusted(sample, finder):
    finder.reset()
    with VideoReader(sample) as reader:
        frame = next(reader.frames()).image
    place = ffhq_alignment(finder(frame))
    square = 255 - crop(frame, place, 256)[:, ::-1] // 2
    laid = [
        Compositor().lay(frame, square, place, light=torch.zeros(3, 128, 128), trust=trust)
        for trust in (None, torch.ones(128, 128), torch.zeros(128, 128))
    ]
    assert (laid[0] == laid[1]).all()
    assert (laid[2] == frame).all()
    assert (laid[0] != frame).any()
