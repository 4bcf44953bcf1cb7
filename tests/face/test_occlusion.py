"""Occlusion: a hand before a face is found, a bare face is bare, and fits look past the hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from facecodec.clip.clip import Clip
from facecodec.clip.occlusion import OCCLUDED_SHARE, visible, with_occlusions
from facecodec.clip.scan import SQUARE_PIXELS, Span
from facecodec.clip.targets import make_target
from facecodec.encoding.person import Enrolment
from facecodec.encoding.sections import _starts
from facecodec.face.occlusion import occluded_share, occlusion
from facecodec.fit.frame_selection import select_identity_frame
from facecodec.progress import silent
from facecodec.video.reader import VideoReader

SPAN = Span(max_frames=12)


@pytest.fixture(scope="module")
def seen(sample, finder):
    """The first frames of the sample: the scan and the aligned squares."""
    with Clip(VideoReader(sample), SPAN, occlusions=False) as clip:
        return clip.scan, [square for _, square in clip.squares()]


def hand_before(square: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay four fingers and a palm, in the skin's own colour, over mouth and cheek.

    Returns the picture and what is covered, bool [S, S].
    """
    size = square.shape[0]
    y, x = np.mgrid[0:size, 0:size] + 0.5
    picture, covered = square.astype(float), np.zeros((size, size), bool)
    mouth = size * points[48:68].mean(0)
    skin = np.median(square[covered_skin(points, size)], axis=0)
    width = 0.055 * size
    for k in range(4):
        a = mouth + [(k - 1.5) * 1.9 * width + 0.03 * size, 0.45 * size]
        b = mouth + [(k - 1.5) * 1.7 * width, -0.12 * size - 0.02 * size * (k % 3)]
        along = b - a
        t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / (along @ along), 0, 1)
        away = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1]) / width
        inside = away < 1
        shade = 0.95 - 0.3 * away**2
        picture[inside] = (skin * shade[..., None])[inside]
        covered |= inside
    return np.clip(picture, 0, 255).astype(np.uint8), covered


def covered_skin(points: np.ndarray, size: int) -> np.ndarray:
    """Return the cheeks, bool [S, S]: some pixels below the eyes."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    cheeks = size * (points[[36, 45]] + points[[48, 54]]) / 2
    return np.any([np.hypot(x - cx, y - cy) < 0.04 * size for cx, cy in cheeks], axis=0)


def test_a_bare_face_is_bare(seen):
    scan, squares = seen
    shares = [occluded_share(s, p) for s, p in zip(squares, scan.landmarks, strict=True)]
    assert max(shares) < OCCLUDED_SHARE / 2


def test_a_hand_is_found_where_it_is(seen):
    scan, squares = seen
    picture, covered = hand_before(squares[0], scan.landmarks[0])
    sure = occlusion(picture)
    assert sure.shape == (SQUARE_PIXELS, SQUARE_PIXELS) and sure.min() >= 0 and sure.max() <= 1
    assert occluded_share(picture, scan.landmarks[0]) > 2 * OCCLUDED_SHARE
    points = SQUARE_PIXELS * scan.landmarks[0]
    eyes = sure[points[36:48, 1].astype(int), points[36:48, 0].astype(int)]
    mouth = points[48:68].mean(0).astype(int)
    assert eyes.max() < 0.2 and sure[mouth[1], mouth[0]] > 0.8 and covered[mouth[1], mouth[0]]


def test_a_hidden_pixel_does_not_count(seen):
    scan, squares = seen
    picture, _ = hand_before(squares[0], scan.landmarks[0])
    mouth = (SQUARE_PIXELS * scan.landmarks[0, 48:68].mean(0)).astype(int)
    shown = visible(picture, scan.landmarks[0])[0]
    assert shown[mouth[1], mouth[0]] < 0.2 and shown[:8].min() == 1
    marked = replace(scan, occluded=np.arange(len(scan)) == 0)
    plain = make_target(scan, 0, picture, torch.device("cpu")).weights
    fitted = make_target(marked, 0, picture, torch.device("cpu")).weights
    torch.testing.assert_close(fitted[0], plain[0] * shown)


def test_a_person_is_taken_from_frames_that_show_the_whole_face(seen):
    scan, _ = seen
    best = select_identity_frame(scan.signals, scan.clear, scan.sharpness)
    hidden = replace(scan, occluded=np.arange(len(scan)) == best)
    assert not hidden.clear[best] and hidden.clear.sum() == scan.seen.sum() - 1
    assert select_identity_frame(hidden.signals, hidden.clear, hidden.sharpness) != best
    everywhere = replace(scan, occluded=np.ones(len(scan), bool))
    np.testing.assert_array_equal(everywhere.clear, scan.seen)


def test_behind_a_hand_a_search_begins_where_the_last_frame_ended(seen, rig):
    """Landmarks there are those of the hand."""
    scan, _ = seen
    count = len(rig.names)
    person = Enrolment(0, scan.signals[0], scan.signals[:2], np.ones((2, count)))
    before = torch.linspace(-1, 1, count, dtype=torch.float64)
    marked = replace(scan, occluded=np.arange(len(scan)) == 5)
    [start] = _starts(rig, marked, 5, person, before)
    torch.testing.assert_close(start, before)
    assert not torch.equal(_starts(rig, scan, 5, person, before)[0], before)


@pytest.mark.parametrize("live", [False, True])
def test_frames_beside_an_occluded_one_are_marked(seen, monkeypatch, live):
    """A hand comes and goes within frames; who encodes live does not know that it will come."""
    scan, squares = seen
    shares = iter([0.0] * 5 + [0.5] + [0.0] * 6)
    monkeypatch.setattr("facecodec.clip.occlusion.occluded_share", lambda *_: next(shares))
    marked = with_occlusions(scan, enumerate(squares), silent, live).occluded
    assert np.flatnonzero(marked).tolist() == ([5, 6, 7] if live else [3, 4, 5, 6, 7])


def every(step: int, path: Path, frames: int) -> list[np.ndarray]:
    """Every `step`th of the first `frames` pictures of a video: what hides a face stays longer."""
    with VideoReader(path) as reader:
        return [frame.image for frame in islice(reader.frames(), 0, frames, step)]


def test_a_real_hand_is_found(clips, finder):
    """She holds a hand before her mouth from frame 57 on, and before that none."""
    with Clip.from_frames(every(3, clips / "woman_crying_23976fps_640x360.mp4", 120)) as clip:
        assert not clip.occluded[:16].any()
        assert clip.occluded[21:].mean() > 0.95


@pytest.mark.parametrize(
    "name", ["man_grey_480.mp4", "woman_earrings_512.mp4", "man_glasses_512x480.mp4"]
)
def test_shouts_winks_and_glasses_hide_nothing(clips, finder, name):
    with Clip.from_frames(every(3, clips / name, 150)) as clip:
        assert not clip.occluded.any()
