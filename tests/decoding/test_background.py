"""What is behind a decoded person."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facecodec.bitstream import FrameFlags, FrameRecord
from facecodec.decoding.background import background_file, open_background
from facecodec.decoding.canvas import Canvas
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment, ffhq_alignment
from facecodec.face.crop import crop
from facecodec.video.reader import VideoReader
from tests.helpers import toy_streams as streams

SQUARE = np.zeros((32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def face(sample, finder):
    """Return the first square of the sample, [256, 256, 3]."""
    finder.reset()
    with VideoReader(sample) as reader:
        frame = next(reader.frames()).image
    return crop(frame, ffhq_alignment(finder(frame)), 256)


def frame(placement: Alignment | None = None) -> FrameRecord:
    row = None if placement is None else placement.as_array().astype(np.float32)
    return FrameRecord(0, 0, np.zeros(35, np.float32), row, FrameFlags(0))


def test_a_name_is_a_colour_a_blur_or_a_file():
    assert [background_file(name) for name in (None, "blur", "teal", "#a0b0c0")] == [None] * 4
    assert str(background_file("room.png")) == "room.png"


@pytest.mark.parametrize("name", ["#12", "nosuchcolour", "missing.png"])
def test_what_is_none_of_them_is_said_before_any_work(name):
    with pytest.raises(UsageError, match="colour"):
        open_background(name, (64, 48))


def test_a_colour():
    behind = open_background("#102030", (64, 48))
    assert (behind(SQUARE, None, None) == (0x10, 0x20, 0x30)).all()
    assert behind(SQUARE, None, None).shape == (48, 64, 3)


def test_a_picture_covers_the_frame_without_being_stretched(tmp_path):
    checks = np.zeros((100, 300, 3), np.uint8)
    checks[:, 100:200] = 255  # a square in the middle
    Image.fromarray(checks).save(tmp_path / "wide.png")
    behind = open_background(tmp_path / "wide.png", (50, 50))
    assert (behind(SQUARE, None, None) > 200).all()
    assert (behind(SQUARE, None, None) > 200).all()  # it stays


def test_a_video_goes_on_frame_by_frame(sample):
    behind = open_background(sample, (64, 64))
    pictures = [behind(SQUARE, None, None) for _ in range(3)]
    assert not (pictures[0] == pictures[1]).all()


@pytest.mark.parametrize("background", ["#00ff00", "blur"])
def test_the_room_of_a_square_is_replaced_and_the_face_is_not(face, background):
    canvas = Canvas(streams.header(), "face", background, 256)
    laid = canvas(face, frame())
    middle = np.s_[110:180, 100:156]
    assert np.abs(laid[middle].astype(int) - face[middle]).mean() < 2
    corner = laid[:24, :24].astype(float)
    if background == "blur":
        assert np.abs(np.diff(corner, axis=0)).max() < 6
        assert np.abs(corner.mean((0, 1)) - face[:24, :24].mean((0, 1))).max() < 40
    else:
        assert np.abs(corner - (0, 255, 0)).mean() < 12


def test_a_frame_is_blurred_where_the_person_is_in_one(face):
    shown = np.random.default_rng(1).integers(0, 255, (120, 200, 3)).astype(np.uint8)
    behind = open_background("blur", (200, 120))
    blurred = behind(face, Alignment(100, 60, 90, 0), shown)
    assert blurred.shape == shown.shape
    assert blurred[:90, :40].std() < shown[:90, :40].std() / 5
    below = np.s_[112:, 90:110]  # the person's chest, which no square shows
    assert np.abs(blurred[below].astype(int) - shown[below]).mean() < 12
    room = np.s_[:60, :40]
    again = behind(face, None, None)
    assert np.abs(again[room].astype(int) - blurred[room]).max() <= 1  # it stays


def test_the_source_frame_is_grey_where_nothing_is_known(face):
    header = streams.header(width=300, height=200)
    canvas = Canvas(header, "source", None, 256)
    laid = canvas(face, frame(Alignment(150, 100, 120, 0)))
    assert laid.shape == (200, 300, 3)
    assert (laid[:, :80] == 128).all()
    assert (canvas(face, frame()) == 128).all()  # nobody knows where the face was
