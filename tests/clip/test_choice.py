"""Whom to follow where a picture shows several faces."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.clip.choice import FaceChoice
from facecodec.clip.clip import Clip
from facecodec.clip.people import PeopleReader
from facecodec.clip.scan import Span
from facecodec.clip.source import FramesInMemory
from facecodec.errors import UsageError
from facecodec.types import Landmarks, Picture
from facecodec.video.reader import VideoReader


def face(x: float, y: float, size: float) -> Landmarks:
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 17), np.linspace(-0.5, 0.5, 4)), -1)
    return np.array([x, y]) + size * grid.reshape(-1, 2)


FACES = [face(500, 100, 90), face(100, 300, 40), face(300, 200, 60)]


@pytest.mark.parametrize(
    ("said", "index"),
    [("largest", 0), ("left", 1), ("right", 0), ("1", 1), ("2", 2), ("3", 0), ("310,190", 2),
     ("0,0", 1), ("480.5,90", 0)],
)  # fmt: skip
def test_every_rule(said, index):
    choice = FaceChoice.of(said)
    assert choice is not None
    assert choice(FACES) == index
    assert FaceChoice.of(None) is None


@pytest.mark.parametrize("said", ["", "0", "-1", "middle", "3,", "1,2,3", "1e3,4", "999"])
def test_what_is_no_choice(said):
    with pytest.raises(UsageError, match="no face"):
        FaceChoice.of(said)


def test_more_than_there_are():
    choice = FaceChoice.of("4")
    assert choice is not None
    with pytest.raises(UsageError, match="shows 3"):
        choice(FACES)


def test_who_was_chosen_is_found_again():
    """By whose face it is, wherever it has gone."""

    def embed(_: Picture, points: Landmarks) -> np.ndarray:
        embedding = np.zeros(128)
        embedding[int(np.ptp(points, axis=0).max())] = 0.7  # people are as large as they are
        return embedding

    reader = PeopleReader(embed, FaceChoice.of("right"))
    frame = np.zeros((400, 600, 3), np.uint8)
    chosen = reader.choose(frame, FACES)
    assert chosen == 0
    reader.add(frame, FACES[chosen])
    reader.add(frame, None)
    moved = [face(560, 300, 40), face(50, 100, 90)]
    assert reader.choose(frame, moved) == 1
    assert reader.at_once == 3


@pytest.fixture(scope="module")
def pair(sample) -> list[Picture]:
    """Return two frames of two heads side by side, the right one smaller."""
    with VideoReader(sample) as reader:
        frames = [f.image for f in reader.frames(None, None, 2)]
    pictures = []
    for frame in frames:
        small = np.full_like(frame, 90)
        height, width = frame.shape[0] // 2, frame.shape[1] // 2
        half = frame[: 2 * height : 2, : 2 * width : 2]
        small[height // 2 : height // 2 + height, width // 2 : width // 2 + width] = half
        pictures.append(np.concatenate([frame, small], axis=1))
    return pictures


@pytest.mark.parametrize(("said", "left"), [(None, True), ("right", False), ("1", True)])
def test_the_square_is_around_the_one_chosen(pair, said, left):
    source = FramesInMemory(pair, 25)
    span = Span(face=FaceChoice.of(said))
    with Clip(source, span, occlusions=False) as clip:
        assert clip.seen.all()
        middle = pair[0].shape[1] / 2
        assert all((place.x < middle) == left for place in clip.alignments)
        assert clip.scan.at_once == 2


def test_a_face_that_is_not_there_is_said_at_once(pair):
    source = FramesInMemory(pair, 25)
    with pytest.raises(UsageError, match="shows 2"):
        _ = Clip(source, Span(face=FaceChoice.of("3"))).scan
