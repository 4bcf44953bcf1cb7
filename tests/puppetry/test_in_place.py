"""A puppet in its source's frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import cast

import numpy as np
import pytest

import facecodec
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags, FrameRecord, StreamWriter, open_stream
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.compositing.room import hidden_by_head
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.puppetry.in_place import LONGEST_SIDE, InMotion, InPlace, Setting
from facecodec.puppetry.output import BesideDriver
from facecodec.puppetry.puppet import _has_context
from facecodec.types import Picture
from facecodec.video.container_sink import ContainerSink
from facecodec.video.reader import VideoReader
from tests.helpers import toy_streams as streams
from tests.helpers.pictures import smooth_picture

FRAMES = 3


@pytest.fixture(scope="module")
def clip(sample, finder):
    with Clip(
        VideoReader(sample), Span(max_frames=FRAMES), occlusions=False, people=False
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def pictures(clip) -> list[Picture]:
    return [frame.image for frame in clip.frames()]


def record(clip, number: int) -> FrameRecord:
    place = clip.alignments[number].as_array().astype(np.float32)
    return FrameRecord(number, number, np.zeros(35, np.float32), place, FrameFlags(0))


def test_a_puppet_at_rest_is_its_source(clip, pictures):
    place = clip.alignments[0]
    setting = Setting.of(clip, 0, 1024)
    canvas = InPlace(streams.header(), setting, np.zeros((1, 4)), 256)
    laid = canvas(crop(pictures[0], place, 512), record(clip, 0))
    assert laid.shape == pictures[0].shape
    off = np.abs(laid.astype(int) - pictures[0]).mean(2)
    assert off[:, 100:-100].mean() < 2  # the square's sides lie within the frame, and fade
    assert np.percentile(off[:, 100:-100], 99) < 20


def test_a_head_that_moves_leaves_its_room_in_place(clip, pictures):
    room, place = smooth_picture(400, 600), Alignment(300, 200, 200, 0.0)
    moves = np.array([[0.0, 0, 0, 0], [0.08, 0, 0.1, 0]])
    canvas = InPlace(streams.header(), Setting(room, place), moves, 256)
    square = crop(pictures[0], clip.alignments[0], 256)
    still, moved = (canvas(square, record(clip, 0)) for _ in moves)
    assert (still != moved).any()
    for laid in (still, moved):
        touched = np.nonzero((laid != room).any(2))
        assert touched[0].min() > 60 and touched[0].max() < 340
        assert touched[1].min() > 160 and touched[1].max() < 460


def test_a_setting_has_no_head_and_the_rest_as_it_was(clip, pictures):
    picture = Setting.of(clip, 0, 1024).picture
    hidden = hidden_by_head(pictures[0], clip.alignments[0]).head
    assert (picture[hidden == 0] == pictures[0][hidden == 0]).all()
    middle = clip.landmarks[0][27:36].mean(0)  # the nose
    x, y = clip.alignments[0].from_unit(middle[None])[0].astype(int)
    assert hidden[y, x] > 0.95


def test_a_large_frame_is_made_as_small_as_the_face_is_drawn(clip):
    setting = Setting.of(clip, 0, 128)
    assert setting.place.size == pytest.approx(128, rel=0.02)
    assert max(setting.picture.shape) <= LONGEST_SIDE
    assert not [side for side in setting.picture.shape[:2] if side % 2]


def test_a_source_in_motion_keeps_its_frames(clip, pictures, sample):
    header = streams.header(width=clip.width, height=clip.height)
    canvas = InMotion(header, (sample, [0, 1, 2, 1]), np.zeros((4, 4)), 256)
    for number in (0, 1, 2, 1):
        square = crop(pictures[number], clip.alignments[number], 512)
        laid = canvas(square, record(clip, number))
        assert np.abs(laid.astype(int) - pictures[number])[:, 100:-100].mean() < 2


def test_a_frame_without_a_face_stays_as_it_is(clip, pictures, sample):
    header = streams.header(width=clip.width, height=clip.height)
    canvas = InMotion(header, (sample, [0]), np.zeros((1, 4)), 256)
    away = replace(record(clip, 0), flags=FrameFlags.NO_FACE)
    assert (canvas(np.zeros((256, 256, 3), np.uint8), away) == pictures[0]).all()


def test_a_driver_beside_is_as_high_as_the_frame(clip, pictures):
    inner = InPlace(streams.header(), Setting.of(clip, 0, 1024), np.zeros((1, 4)), 256)
    width, height = inner.size
    beside = BesideDriver(streams.header(), inner, iter([np.full((64, 64, 3), 9, np.uint8)]))
    laid = beside(crop(pictures[0], clip.alignments[0], 512), record(clip, 0))
    assert laid.shape == (height, width + height, 3)
    assert (laid[:, :height] == 9).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"source": "who.fcv", "canvas": "source"}, "has no frame"),
        ({"source": "who.png", "canvas": "source", "output": "p.fcv"}, "a stream has no frame"),
        ({"source": "who.png", "canvas": "wide"}, "no canvas 'wide'"),
    ],
)
def test_a_canvas_that_does_not_fit_is_refused_at_once(given, words, tmp_path):
    out = tmp_path / given.pop("output", "p.mp4")
    with pytest.raises(facecodec.UsageError, match=words):
        facecodec.puppet(given.pop("source"), "none.fcv", out, **given)


class Green:
    """Stands in for an avatar: its squares are green."""

    tuning = None

    def side(self, size: int | None) -> int:
        return 64

    def render(self, controls: np.ndarray, size: int | None = None) -> np.ndarray:
        return np.full((1, 64, 64, 3), (0, 255, 0), np.uint8)


def test_a_stream_with_a_context_has_a_frame_to_lay_a_puppet_into(tmp_path):
    rate, room = Fraction(5), smooth_picture(128, 192)
    with ContainerSink(tmp_path / "room.mp4", (192, 128), 1 / rate, rate, None, {}) as sink:
        for i in range(8):
            sink.write(room, i)
    head = streams.header(width=192, height=128, time_base=1 / rate, frame_rate=rate)
    with (tmp_path / "face.fcv").open("wb") as file, StreamWriter(file, head) as writer:
        writer.write_identity(streams.latent(), streams.W_MEAN)
        for i, row in enumerate(streams.motion(8)):
            still = row * (0.1 if i == 5 else 1) + (i != 5)
            writer.write_frame(i, still, np.array([90 + i, 60, 70, 0]))
    assert not _has_context(tmp_path / "face.fcv")
    facecodec.add_context(tmp_path / "face.fcv", tmp_path / "room.mp4", tmp_path / "w.fcv", "still")
    assert _has_context(tmp_path / "w.fcv")
    with open_stream(tmp_path / "w.fcv") as stream:
        setting = Setting.of_stream(stream, cast("Avatar", Green()), 64)
    assert setting is not None
    assert setting.picture.shape == (118, 176, 3)
    assert setting.place.x == pytest.approx(95 * 64 / 70, abs=0.45)
