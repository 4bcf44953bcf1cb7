"""Enrolling: a clip or some pictures to a `.fci` file, paid for once."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

import facecodec
from facecodec.bitstream import load_identity_file
from facecodec.cli.main import run
from facecodec.clip.portraits import Portraits
from facecodec.errors import FacecodecError, NoFaceError, UsageError
from facecodec.face.crop import resize
from facecodec.video.reader import VideoReader
from facecodec.video.still import encode_png
from tests.helpers.presets import TINY, fast_is


@pytest.fixture(scope="module")
def pictures(sample, tmp_path_factory):
    """Three pictures of the sample's person: of two sizes, one with the face elsewhere in it."""
    folder = tmp_path_factory.mktemp("pictures")
    with VideoReader(sample) as reader:
        frames = [frame.image for frame in islice(reader.frames(), 0, 60, 25)]
    frames[1] = resize(frames[1], (960, 720))
    frames[2] = np.pad(frames[2], ((0, 0), (200, 0), (0, 0)))
    paths = []
    for i, frame in enumerate(frames):
        paths.append(folder / f"{i}.png")
        paths[-1].write_bytes(encode_png(frame))
    return paths


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Nothing is prepared for calls here: that is tested in test_preparation.py."""
    monkeypatch.setattr("facecodec.encoding.enrol.prepared", lambda *_: None)


def test_pictures_show_the_face_at_one_place(pictures, finder):
    with Portraits.of(pictures) as clip:
        assert len(clip) == 3 and clip.seen.all()
        assert clip.width == clip.height in [1.75 * 256, 1.75 * 512]
        assert clip.square_size == clip.width / 1.75
        spread = np.ptp([square.as_array() for square in clip.alignments], axis=0)
        assert spread.max() < 0.03 * clip.width
        assert not clip.other.any()


def test_what_hides_one_picture_says_nothing_of_the_next(pictures, finder, monkeypatch):
    shares = iter([0.0, 0.5, 0.0])
    monkeypatch.setattr("facecodec.clip.occlusion.occluded_share", lambda *_: next(shares))
    with Portraits.of(pictures) as clip:
        assert clip.occluded.tolist() == [False, True, False]


def test_a_person_of_pictures(pictures, generator, finder, tmp_path):
    done = facecodec.enrol(pictures, tmp_path / "a.fci", preset=TINY)
    assert done.frames == 3 and done.no_face == done.other_face == 0
    assert load_identity_file(tmp_path / "a.fci") == done.person
    avatar = facecodec.Avatar.from_identity_file(tmp_path / "a.fci")
    assert avatar.render(np.zeros((1, avatar.num_controls)), 256).shape == (1, 256, 256, 3)


def test_the_person_of_a_clip_is_the_one_that_encode_finds(
    sample, generator, finder, tmp_path, monkeypatch
):
    done = facecodec.enrol(sample, tmp_path / "a.fci", preset=TINY, max_frames=2)

    def stop(*_):
        raise FacecodecError("the person is found")

    monkeypatch.setattr("facecodec.encoding.fitted.track_clip", stop)
    with pytest.raises(FacecodecError, match="the person is found"):
        facecodec.encode(sample, tmp_path / "own.fcv", preset=TINY, max_frames=2)
    own = load_identity_file(tmp_path / "own.fcv.person.fci")
    assert own.payload == done.person.payload


def test_the_command_tells_of_the_person(sample, generator, finder, tmp_path, capsys):
    out = tmp_path / "a.fci"
    with fast_is(TINY), pytest.raises(SystemExit) as stop:
        run(["identity", "enrol", str(sample), str(out), "--preset", "fast", "--max-frames", "2",
             "--tune", "light", "--json", "-q"])  # fmt: skip
    facts = json.loads(capsys.readouterr().out)
    assert not stop.value.code
    assert facts["sha256"] == load_identity_file(out).sha256.hex() and facts["tuning_bytes"]
    assert facts["frames"] == 2 and "tuning" in facts["stages"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"output": "a.png"}, "a.png: a person is a .fci file"),
        ({"output": "0.png"}, "0.png"),  # one of the pictures
        ({"tune": "much"}, "no tuning 'much'"),
        ({"max_frames": 3}, "several pictures have no span"),
        ({"sources": []}, "no clip and no picture"),
        ({"sources": 65 * ["0.png"]}, "65 pictures: 64 are enough"),
        ({"id_frame": -1}, "id frame -1 is not at least 0"),
    ],
)
def test_misuse_is_refused_before_the_work(arguments, match, pictures, finder, tmp_path):
    given = {"sources": pictures, "output": "a.fci"} | arguments
    output = pictures[0] if given["output"] == "0.png" else tmp_path / given.pop("output")
    given.pop("output", None)
    with pytest.raises(UsageError, match=match):
        facecodec.enrol(output=output, **given)
    assert not list(tmp_path.iterdir())


def test_several_clips_are_no_pictures(sample, pictures, generator, finder, tmp_path):
    with pytest.raises(UsageError, match="sample.mp4: not one picture"):
        facecodec.enrol([pictures[0], sample], tmp_path / "a.fci", preset=TINY)


def test_a_picture_without_a_face_is_named(pictures, generator, finder, tmp_path):
    blank = tmp_path / "blank.png"
    blank.write_bytes(encode_png(np.zeros((480, 640, 3), np.uint8)))
    with pytest.raises(NoFaceError, match=r"blank.png: no face in this picture"):
        facecodec.enrol([pictures[0], blank], tmp_path / "a.fci", preset=TINY)
