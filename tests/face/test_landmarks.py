"""Landmarks of heads that roll, and of faces that come and go."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.face.signals import interocular
from facecodec.video.reader import VideoReader

SIDE = 400


@pytest.fixture(scope="module")
def frame(sample):
    with VideoReader(sample) as reader:
        return next(iter(reader.frames(None, None, 1))).image


@pytest.fixture
def find(finder):
    finder.reset()
    yield finder
    finder.reset()


def rolled(frame: np.ndarray, angle: float) -> Alignment:
    """The square of a frame in which the head is rolled by -angle."""
    return Alignment(frame.shape[1] / 2, frame.shape[0] / 2, SIDE, angle)


@pytest.mark.parametrize("way", [-1, 1])
def test_a_head_is_followed_as_it_rolls(frame, find, way):
    first = rolled(frame, 0.0)
    upright = find(crop(frame, first, SIDE))
    in_frame = first.from_unit(upright / SIDE)
    for angle in way * np.arange(0.03, 0.8, 0.03):
        place = rolled(frame, angle)
        points = find(crop(frame, place, SIDE))
        away = np.linalg.norm(points - SIDE * place.to_unit(in_frame), axis=1).mean()
        assert away < 0.15 * interocular(upright), angle


def test_a_face_that_leaves_is_let_go(frame, find):
    assert find(frame) is not None
    empty = np.full_like(frame, 90)
    assert [find(empty) is None for _ in range(12)][-1]
    assert find(frame) is not None


def test_a_face_does_not_outlive_a_cut(clips, find):
    """A face that goes with frame 71 was once followed into black and sky for nine frames more."""
    with VideoReader(clips / "face_then_none_960x540.mov") as reader:
        last = list(islice(reader.frames(), 60, 84))
    assert [find(shown.image) is not None for shown in last] == [True] * 12 + [False] * 12


def test_following_does_not_depend_on_what_was_before_a_reset(frame, find):
    first = find(frame)
    find(crop(frame, rolled(frame, 0.3), SIDE))
    find.reset()
    assert (find(frame) == first).all()


def eye_lines(video, find, frames: int) -> np.ndarray:
    """The angle of the eye line in every frame, radians."""
    lines = []
    with VideoReader(video) as reader:
        for shown in reader.frames(None, None, frames):
            points = find(shown.image)
            across = points[42:48].mean(0) - points[36:42].mean(0)
            lines.append(np.arctan2(across[1], across[0]))
    return np.array(lines)


def test_a_turned_head_does_not_seem_to_roll(clips, find):
    """A head in half profile that hardly rolls: its eye line once swung by 0.2 radians, and later
    locked 0.3 radians off for as long as a wrong box was read along with the right one."""
    lines = eye_lines(clips / "woman_small_face_1280x720.mp4", find, 120)
    assert np.std(lines) < 0.06
    assert np.abs(lines - np.median(lines)).max() < 0.2


def test_a_reading_hardly_depends_on_the_box(frame, find):
    """Landmarks of a face that glides by an eighth of a pixel a frame are as steady as it is."""
    readings = []
    for i in range(24):
        place = Alignment(frame.shape[1] / 2 + i / 8, frame.shape[0] / 2, SIDE, 0.0)
        readings.append(place.from_unit(find(crop(frame, place, SIDE)) / SIDE))
    points = np.array(readings[4:])
    shaken = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=2).mean()
    assert shaken < 0.01 * interocular(points[0])
