"""A clip: frames out of memory, what is known of their faces, and how often they are decoded."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import torch

from facecodec.clip import clip as module
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.clip.source import FramesInMemory
from facecodec.errors import FacecodecError, NoFaceError, UsageError
from facecodec.face.alignment import usual_size
from facecodec.fit.objective import shrink
from facecodec.video.reader import VideoReader

FRAMES = 4


class Counted(VideoReader):
    """A reader that counts its passes over the video."""

    passes = 0

    def frames(self, start=None, end=None, max_frames=None):
        self.passes += max_frames != 1  # opening looks at one frame
        return super().frames(start, end, max_frames)


@pytest.fixture(scope="module")
def clip(sample, finder):
    with Clip.open(sample, max_frames=FRAMES) as opened:
        yield opened


def test_what_a_clip_knows(clip):
    assert len(clip) == FRAMES and clip.seen.all() and not clip.occluded.any()
    assert clip.landmarks.shape == (FRAMES, 68, 2) and clip.signals.shape == (FRAMES, 6)
    assert clip.features.shape == (FRAMES, 50) and np.isfinite(clip.features).all()
    assert (clip.width, clip.height) == (640, 480)
    assert clip.frame_rate == 25 and clip.duration == Fraction(FRAMES, 25)
    np.testing.assert_allclose(clip.times, np.arange(FRAMES) / 25)
    assert clip.audio is not None
    last = list(clip.audio_packets())[-1]  # sound ends with the last frame, not where it begins
    begin, end = last.pts * clip.audio.time_base, (last.pts + last.duration) * clip.audio.time_base
    assert begin < clip.duration <= end


def test_squares_are_the_same_from_memory(clip):
    kept = dict(clip.squares())
    cut = dict(clip._cut(clip.scan, 256))
    assert list(kept) == list(cut) == list(range(FRAMES))
    assert all((kept[i] == cut[i]).all() for i in kept)
    assert next(iter(clip.squares(64)))[1].shape == (64, 64, 3)
    for later in (list(clip.squares(first=2)), list(clip._cut(clip.scan, 256, 2))):
        assert [i for i, _ in later] == list(range(2, FRAMES))
        assert all((square == kept[i]).all() for i, square in later)
    large = clip.squares_at([1], 512)
    assert list(large) == [1] and large[1].shape == (512, 512, 3)
    some = clip.squares_at([2, 0])
    assert list(some) == [0, 2] and (some[2] == kept[2]).all()


@pytest.mark.parametrize(("kept", "passes"), [(FRAMES, 2), (FRAMES - 1, 4)])
def test_a_short_clip_is_decoded_twice(sample, finder, monkeypatch, kept, passes):
    """For the landmarks, and for the squares; a long one again for every use of all of them."""
    monkeypatch.setattr(module, "KEPT_SQUARES", kept)
    reader = Counted(sample)
    with Clip(reader, Span(max_frames=FRAMES)) as clip:
        clip.squares_at([1, 3])  # a long clip keeps those that were asked for
        clip.squares_at([3, 1])
        assert [i for i, _ in clip.squares()] == list(range(FRAMES))
        assert reader.passes == passes


def test_a_target_is_as_large_as_its_square(clip):
    device = torch.device("cpu")
    (small,), (large,) = (clip.targets([1], device, size) for size in (256, 512))
    assert large.picture.shape == (3, 512, 512) and large.weights.shape == (1, 512, 512)
    np.testing.assert_allclose(shrink(large.picture[None], 256)[0], small.picture, atol=0.15)
    np.testing.assert_allclose(shrink(large.weights[None], 256)[0], small.weights, rtol=0.05)
    assert clip.square_size == usual_size(clip.alignments)


def test_frames_in_memory_are_the_same_clip(clip, sample):
    with VideoReader(sample) as reader:
        pictures = [frame.image for frame in reader.frames(max_frames=FRAMES)]
    for frames in (np.stack(pictures), pictures, iter(pictures)):
        same = Clip.from_frames(frames, fps=25)
        assert same.frame_rate == 25 and same.audio is None and not list(same.audio_packets())
        assert len(list(same.frames())) == len(list(same.frames())) == FRAMES
    assert (same.landmarks == clip.landmarks).all() and same.duration == clip.duration


def test_frames_that_are_gone_at_the_second_look_are_an_error(sample, finder):
    """They would be taken for frames that were tracked."""
    clip = Clip.open(sample, max_frames=3)
    clip.occlusions = False
    assert len(clip) == 3
    frames = clip.source.frames
    clip.source.frames = lambda *span: islice(frames(*span), 2)
    with pytest.raises(FacecodecError, match="other frames"):
        list(clip.squares())


def test_times_of_frames_are_kept():
    pictures = np.zeros((3, 8, 8, 3), np.uint8)
    exact = FramesInMemory(pictures, times=[0, Fraction(1, 24), "0:00.1"])
    seen = [frame.pts * exact.time_base for frame in exact.frames()]
    assert seen == [0, Fraction(1, 24), Fraction(1, 10)]
    assert exact.rate is None
    times = [f.pts for f in FramesInMemory(pictures, fps=10).frames(Fraction(1, 10), None, 1)]
    assert times == [1]


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), {}),
        (np.zeros((2, 8, 8, 3)), {}),
        (np.zeros((2, 8, 8), np.uint8), {}),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], {}),
        (np.zeros((2, 8, 8, 3), np.uint8), {"fps": 0}),
        (np.zeros((2, 8, 8, 3), np.uint8), {"times": [0]}),
        (np.zeros((2, 8, 8, 3), np.uint8), {"times": [1, 1]}),
        (np.zeros((2, 8, 8, 3), np.uint8), {"times": [0, "soon"]}),
    ],
)
def test_what_is_no_clip_is_refused(frames, options):
    with pytest.raises(UsageError):
        Clip.from_frames(frames, **options)


def test_a_wall_shows_no_face(finder):
    with pytest.raises(NoFaceError, match="frames: no face in any of its 2 frames"):
        len(Clip.from_frames(np.full((2, 120, 160, 3), 120, np.uint8)))
