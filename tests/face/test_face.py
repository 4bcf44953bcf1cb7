"""Alignment and crop on landmarks that are known."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.face.alignment import Alignment, ffhq_alignment, stabilise
from facecodec.face.crop import crop, resize
from facecodec.pixels import to_tensor, to_uint8
from facecodec.video.reader import VideoReader
from tests.helpers.faces import face
from tests.helpers.pictures import smooth_picture


@pytest.mark.filterwarnings("error")
def test_a_picture_that_is_read_only_is_taken_as_it_is():
    picture = smooth_picture(64, 64)
    picture.flags.writeable = False  # as Pillow gives them
    assert crop(picture, Alignment(32, 32, 60, 0), 32).shape == (32, 32, 3)
    assert np.array_equal(to_uint8(to_tensor(picture[None])), picture[None])


def test_upright_square():
    square = ffhq_alignment(face())
    # half side = max(2.0 * 60, 1.8 * 60), centre a tenth of the way from eyes to mouth
    assert square.as_array() == pytest.approx([300, 206, 240, 0])


@pytest.mark.parametrize("angle", [-0.6, 0.2, 1.0])
def test_square_turns_and_scales_with_the_face(angle):
    square = ffhq_alignment(face(scale=1.5, angle=angle))
    assert square.size == pytest.approx(360)
    assert square.angle == pytest.approx(angle)
    assert square.to_unit(face(scale=1.5, angle=angle)) == pytest.approx(
        ffhq_alignment(face()).to_unit(face())
    )


def test_unit_coordinates():
    square = Alignment(10, 20, 8, np.pi / 2)
    assert square.to_unit(np.array([[10.0, 20.0]]))[0] == pytest.approx([0.5, 0.5])
    assert square.to_unit(np.array([[14.0, 16.0]]))[0] == pytest.approx([0, 0])


def test_steady_under_noise_and_gaps():
    random = np.random.default_rng(0)
    track = [face(300 + i) + random.normal(0, 1.0, (68, 2)) for i in range(60)]
    gaps = [None if 20 <= i < 25 else points for i, points in enumerate(track)]
    raw = np.array([ffhq_alignment(p).as_array() for p in track])
    steady = np.array([a.as_array() for a in stabilise(gaps)])
    assert len(steady) == 60
    middle = slice(8, -8)
    assert steady[middle, 0] == pytest.approx(300 + np.arange(60)[middle], abs=1.0)
    assert np.diff(steady[:, 2]).std() < 0.1 * np.diff(raw[:, 2]).std()
    assert np.diff(steady[middle, 3]).std() < 0.5 * np.diff(raw[middle, 3]).std()


def test_one_frame_with_wrong_landmarks_does_not_move_the_square():
    track = [face(300 + i) for i in range(60)]
    track[30] = face(370, 240, angle=0.5)
    steady = np.array([a.as_array() for a in stabilise(track)])
    assert steady[24:37, 0] == pytest.approx(300 + np.arange(24, 37), abs=1.0)
    assert steady[24:37, 3] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("causal", "growth"), [(False, 0.002), (False, 0.0), (True, 0.0)])
def test_an_open_mouth_does_not_zoom(causal, growth):
    """A mouth held open for two seconds once made the square larger by a tenth."""
    scale = 1 + growth * np.arange(150)
    track = [face(scale=s) for s in scale]
    usual = np.array([a.size for a in stabilise(track, causal=causal)])
    for points in track[60:110]:
        points[[48, 54], 1] += 20
    opened = np.array([a.size for a in stabilise(track, causal=causal)])
    assert opened == pytest.approx(usual, rel=0.01)
    assert usual[110] / usual[60] == pytest.approx(scale[110] / scale[60], rel=0.03)


@pytest.mark.parametrize("causal", [False, True])
def test_a_turning_head_does_not_zoom(causal):
    track = [face() for _ in range(150)]
    for points in track[60:120]:
        points[:, 0] = 300 + 0.8 * (points[:, 0] - 300)
    sizes = np.array([a.size for a in stabilise(track, causal=causal)])
    assert sizes == pytest.approx(sizes[0], rel=0.01)


def test_a_causal_square_does_not_know_the_future():
    random = np.random.default_rng(0)
    track = [face(300 + i) + random.normal(0, 1.0, (68, 2)) for i in range(60)]
    gaps = [None if 20 <= i < 25 else points for i, points in enumerate(track)]
    steady = np.array([a.as_array() for a in stabilise(gaps, causal=True)])
    assert len(steady) == 60
    early = np.array([a.as_array() for a in stabilise(gaps[:40], causal=True)])
    assert steady[:40] == pytest.approx(early)
    assert steady[8:20, 0] == pytest.approx(300 + np.arange(8, 20), abs=4)  # it lags a little
    # and comes to rest where there is no face
    assert np.abs(np.diff(steady[20:24, :2], axis=0)).max() < 1.5


def test_no_landmarks_at_all():
    with pytest.raises(ValueError):
        stabilise([None, None])


def test_crop_of_a_whole_square_is_the_picture():
    picture = smooth_picture(64, 64)
    assert (crop(picture, Alignment(32, 32, 64, 0), 64) == picture).all()


def test_shrinking_averages():
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = crop(np.repeat(checks[..., None], 3, 2), Alignment(32, 32, 64, 0), 16)
    assert small == pytest.approx(127.5, abs=1)


def test_resize():
    picture = smooth_picture(40, 60)
    assert resize(picture, (60, 40)) is picture
    assert resize(picture, (30, 20)).shape == (20, 30, 3)


def test_landmarks_of_the_sample(finder, sample):
    finder.reset()
    with VideoReader(sample) as reader:
        frame = next(reader.frames()).image
    points = finder(frame)
    assert points is not None
    assert points[36:42].mean(0)[0] < points[42:48].mean(0)[0]  # the eye on the left is first
    assert points[48:68].mean(0)[1] > points[27:36].mean(0)[1] > points[36:48].mean(0)[1]
    finder.reset()
    assert finder(np.full((240, 320, 3), 127, np.uint8)) is None
