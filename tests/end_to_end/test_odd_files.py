"""Odd files from one end to the other: what a camera, a recorder or a call made of the sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import facecodec
from facecodec.video.reader import VideoReader
from tests.helpers.clips import set_display_matrix, write_clip
from tests.helpers.commands import run
from tests.helpers.presets import TINY

FRAMES = 2


@pytest.fixture(scope="module")
def pictures(sample):
    if not sample.is_file():
        pytest.skip("samples/sample.mp4 is not made yet: make sample")
    with VideoReader(sample) as reader:
        return [frame.image for frame in reader.frames(max_frames=FRAMES)]


def narrow(folder: Path, pictures: list) -> Path:
    """Pixels twice as wide as high."""
    halves = [picture[:, ::2].copy() for picture in pictures]
    return write_clip(folder / "x.mkv", halves, settings={"sample_aspect_ratio": 2})


def mirrored(folder: Path, pictures: list) -> Path:
    path = write_clip(folder / "x.mp4", [picture[:, ::-1].copy() for picture in pictures])
    set_display_matrix(path, -1, 0, 0, 1)
    return path


def late(folder: Path, pictures: list) -> Path:
    """A transport stream that starts at four seconds, with AAC that has a header each packet."""
    return write_clip(folder / "x.ts", pictures, audio="aac", first=100)


def lossless_sound(folder: Path, pictures: list) -> Path:
    return write_clip(folder / "x.mkv", pictures, audio="flac")


KINDS = [narrow, mirrored, late, lossless_sound]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_odd_files(kind: Callable, pictures, generator, finder, tmp_path):
    source, stream = kind(tmp_path, pictures), tmp_path / "x.fcv"
    done = facecodec.encode(source, stream, preset=TINY)
    assert done.frames == FRAMES and done.no_face == 0
    assert done.audio == (kind in (late, lossless_sound))
    run("verify", stream)
    place = facecodec.open(stream)[0].placement
    assert place.x == pytest.approx(facecodec.Clip.from_frames(pictures).alignments[0].x, abs=8)
    for ending in ("mp4", "mkv", "webm"):
        back = tmp_path / f"back.{ending}"
        facecodec.decode(stream, back, size=256)
        with VideoReader(back) as reader:
            assert reader.begin == 0 and len(list(reader.frames())) == FRAMES
            assert (reader.audio is not None) == done.audio
