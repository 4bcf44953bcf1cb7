"""Two people of one picture, each in a stream of their own, decoded into one frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import open_stream
from facecodec.compositing.compositor import Compositor
from facecodec.decoding.decode import decode
from facecodec.editing.context import add_context
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment
from facecodec.types import Picture
from facecodec.video.container_sink import ContainerSink
from facecodec.video.reader import VideoReader
from tests.helpers.streams import make_stream

SIZE, FRAMES, RATE = (288, 160), 7, Fraction(25)
LEFT, RIGHT = Alignment(76, 80, 130, 0.0), Alignment(212, 76, 130, 0.05)


def pictures(path: Path) -> list[Picture]:
    with VideoReader(path) as reader:
        return [frame.image for frame in reader.frames()]


@pytest.fixture(scope="module")
def files(generator, rig, tmp_path_factory) -> tuple[Path, Path, list[Picture]]:
    """Return two streams, the first with a context, and the frames that they are of."""
    folder = tmp_path_factory.mktemp("company")
    people = [
        make_stream(folder / f"{name}.fcv", generator, rig, FRAMES, [place] * FRAMES, SIZE, seed)
        for name, place, seed in (("left", LEFT, 5), ("right", RIGHT, 8))
    ]
    drawn = []
    for path in people:
        with open_stream(path) as stream:
            avatar = Avatar.from_stream(stream)
            drawn.append([avatar.render(f.controls[None], 256)[0] for f in stream.frames()])
    wall = np.full((SIZE[1], SIZE[0], 3), (60, 90, 110), np.uint8)
    with ContainerSink(folder / "two.mp4", SIZE, 1 / RATE, RATE, None, {}) as sink:
        for i, squares in enumerate(zip(*drawn, strict=True)):
            frame = wall
            for square, place in zip(squares, (LEFT, RIGHT), strict=True):
                frame = Compositor(same_scene=False).lay(frame, square, place)
            sink.write(frame, i)
    add_context(people[0], folder / "two.mp4", folder / "whole.fcv", 8000)
    return folder / "whole.fcv", people[1], pictures(folder / "two.mp4")


def away(frames: list[Picture], source: list[Picture], place: Alignment) -> float:
    """Return how far the middle of a face is from its source in all frames, in grey levels."""
    x, y, half = int(place.x), int(place.y), int(place.size // 4)
    part = np.s_[y - half : y + half, x - half : x + half]
    pairs = zip(frames, source, strict=True)
    return float(np.mean([np.abs(a[part].astype(int) - b[part]).mean() for a, b in pairs]))


def test_both_heads_are_in_the_frame(files, tmp_path):
    whole, right, source = files
    decode(whole, tmp_path / "one.mp4")
    done = decode(whole, tmp_path / "both.mp4", also=[right])
    assert (done.frames, done.damage) == (FRAMES, [])
    one, both = pictures(tmp_path / "one.mp4"), pictures(tmp_path / "both.mp4")
    assert away(one, source, LEFT) < 8
    assert abs(away(both, source, LEFT) - away(one, source, LEFT)) < 0.3
    assert away(both, source, RIGHT) < min(10, 0.85 * away(one, source, RIGHT))


def test_a_part_of_both(files, tmp_path):
    whole, right, source = files
    span = {"start": Fraction(3, 25), "max_frames": 3}
    decode(whole, tmp_path / "part.mp4", also=[right, right], **span)
    decode(whole, tmp_path / "one.mp4", **span)
    part, one = pictures(tmp_path / "part.mp4"), pictures(tmp_path / "one.mp4")
    assert len(part) == 3
    assert away(part, source[3:6], RIGHT) < 0.85 * away(one, source[3:6], RIGHT)
    assert away(part, source[3:6], LEFT) < 8


def test_who_is_only_there_for_a_while_is_laid_into_those_frames(files, generator, rig, tmp_path):
    whole, _, source = files
    short = make_stream(tmp_path / "short.fcv", generator, rig, 3, [RIGHT] * 3, SIZE, 8)
    decode(whole, tmp_path / "both.mkv", also=[short], codec="ffv1")
    decode(whole, tmp_path / "one.mkv", codec="ffv1")
    both, one = pictures(tmp_path / "both.mkv"), pictures(tmp_path / "one.mkv")
    assert len(both) == FRAMES
    assert away(both[:3], source[:3], RIGHT) < 0.85 * away(one[:3], source[:3], RIGHT)
    assert (both[-1] == one[-1]).all()


def test_what_does_not_go_together_is_refused(files, generator, rig, tmp_path):
    whole, right, _ = files
    other = make_stream(tmp_path / "other.fcv", generator, rig, 2)
    with pytest.raises(UsageError, match="640x480"):
        decode(whole, tmp_path / "out.mp4", also=[other])
    for wrong in ({"canvas": "face"}, {"background": "blur"}, {"fps": 50}):
        with pytest.raises(UsageError, match="other people"):
            decode(whole, tmp_path / "out.mp4", also=[right], **wrong)
    with pytest.raises(UsageError):
        decode(whole, right, also=[right], force=True)
    assert not list(tmp_path.glob("out*"))
