"""The public API: what is there, how it is imported, and streams opened, edited and made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

import facecodec
from facecodec.models import pick_device
from facecodec.seconds import seconds
from tests.helpers.clips import read_picture
from tests.helpers.presets import TINY
from tests.helpers.streams import make_stream

FRAMES = 6


@pytest.fixture(scope="module")
def path(generator, rig, tmp_path_factory):
    return make_stream(tmp_path_factory.mktemp("api") / "talk.fcv", generator, rig, FRAMES)


@pytest.fixture(scope="module")
def stream(path):
    return facecodec.open(path)


def test_importing_is_quick_and_changes_nothing():
    """No torch, no numpy, and the environment as it was; dir() and * know every name."""
    code = (
        "import os, sys, json; before = dict(os.environ); import facecodec;"
        "heavy = [m for m in ('torch', 'numpy', 'av', 'dlib') if m in sys.modules];"
        "same = dict(os.environ) == before;"
        "[getattr(facecodec, name) for name in facecodec.__all__];"
        "print(json.dumps([heavy, same, dict(os.environ) == before]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], True, True]


def test_every_public_name_says_what_it_is():
    for name in facecodec.__all__:
        assert name in dir(facecodec)
        thing = getattr(facecodec, name)
        assert name == "__version__" or (thing.__doc__ or "").strip()
    with pytest.raises(AttributeError, match="nonsense"):
        facecodec.nonsense  # noqa: B018


def test_the_process_defaults_are_set_by_one_call():
    code = (
        "import os, facecodec; os.environ['MKL_CBWR'] = 'mine';"
        "os.environ.pop('OMP_WAIT_POLICY', None); facecodec.set_process_defaults();"
        "print(os.environ['MKL_CBWR'], os.environ['OMP_WAIT_POLICY'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mine", "PASSIVE"]


@pytest.mark.parametrize(
    ("given", "exact"),
    [(None, None), (0.04, Fraction(1, 25)), (3, 3), ("12.5", Fraction(25, 2)), ("1:30", 90),
     (".1", Fraction(1, 10)), ("2.", 2),
     ("1:00:00.25", Fraction(14401, 4)), (Fraction(1, 3), Fraction(1, 3)),
     ("90:00", 5400), ("100:00:59", 360059), ("99", 99), (np.float64(0.1), Fraction(1, 10)),
     (np.int64(2), 2)],
)  # fmt: skip
def test_times(given, exact):
    assert seconds(given) == exact


NO_TIMES = [
    "soon", "1:2:3:4", "-1", -0.5, float("nan"), float("inf"), [], "9" * 5000, "." + "9" * 5000,
    "1:99", "1:60:00", "0:00:60", True, Decimal("1e999999999"), "٣",
]  # fmt: skip


@pytest.mark.parametrize("given", NO_TIMES)
def test_what_is_no_time(given):
    with pytest.raises(facecodec.UsageError, match="is no time"):
        seconds(given)


def test_a_device_that_there_is_not():
    with pytest.raises(facecodec.UsageError, match="no device 'cudaa'; there are: auto, cpu, cuda"):
        pick_device("cudaa")


def test_a_device_of_torch_is_taken_as_it_is():
    assert pick_device(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(facecodec.UsageError, match="no device 'meta'"):
        pick_device(torch.device("meta"))


def test_a_stream_and_its_reader_are_closed_by_with(path):
    with facecodec.open(path) as stream:
        assert len(stream) == FRAMES
    with pytest.raises(ValueError, match="closed file"):
        list(stream)
    with facecodec.open_stream(path) as reader:
        assert next(iter(reader)).index == 0
    with pytest.raises(ValueError, match="closed file"):
        list(reader)


def test_a_stream_is_a_sequence_of_frames(stream, path):
    assert len(stream) == FRAMES and stream.fps == 25
    assert stream.duration == pytest.approx(FRAMES / 25)
    frames = list(stream)
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(FRAMES)])
    assert frames[3].pts * frames[3].time_base == Fraction(3, 25)
    assert frames[3].placement.x == 320 and not frames[3].recovered
    np.testing.assert_array_equal(stream[3].controls, frames[3].controls)
    assert stream[-1].index == FRAMES - 1
    assert [frame.index for frame in stream[1:6:2]] == [1, 3, 5]
    assert [f.index for f in stream.frames(0.08, "0:00.2")] == [2, 3, 4]
    assert stream.controls.shape == (FRAMES, 35) and len(stream.times) == FRAMES
    with pytest.raises(IndexError, match="frames 0 to 5"):
        stream[FRAMES]
    with pytest.raises(TypeError):
        stream[1.5]
    assert stream.name == str(path)


def test_frames_of_a_long_stream_are_found_by_their_number(generator, rig, tmp_path):
    """Beyond the first segment, and where bytes were lost."""
    path = make_stream(tmp_path / "long.fcv", generator, rig, 400)
    long = facecodec.open(path)
    assert len(long.reader.index().entries) > 1
    everything = list(long)
    for i in (0, 124, 125, 126, 399):
        assert long[i].index == i
        np.testing.assert_array_equal(long[i].controls, everything[i].controls)
    data = bytearray(path.read_bytes())
    entry = long.reader.index().entries[1]
    data[entry.offset + 40] ^= 1
    path.write_bytes(data)
    damaged = facecodec.open(path)
    middle = entry.first + entry.frames // 2
    assert damaged[middle].recovered and damaged[middle].index == middle


def test_pictures_of_a_stream_are_those_that_decode_writes(stream, path, tmp_path):
    facecodec.decode(path, tmp_path / "p%d.png", size=256, max_frames=2)
    np.testing.assert_array_equal(stream.render(1, 256), read_picture(tmp_path / "p2.png"))
    frame, picture = next(stream.pictures(256, start="0.04"))
    assert frame.index == 1
    np.testing.assert_array_equal(picture, stream.render(1, 256))
    np.testing.assert_array_equal(stream.avatar.render(stream[1].controls[None], 256)[0], picture)
    assert stream.identity.shape == (16, 512)


def test_edited_controls_are_written_back(stream, tmp_path):
    controls = stream.controls[:4]
    controls[:, 0] += 1
    stream.write(tmp_path / "edited.fcv", controls)
    edited = facecodec.open(tmp_path / "edited.fcv")
    assert len(edited) == 4
    step = stream.reader.header.control_steps
    assert (np.abs(edited.controls - controls) <= step / 2 + 1e-6).all()
    assert edited.reader.identity_payload == stream.reader.identity_payload
    assert edited[2].placement == stream[2].placement and edited[2].pts == stream[2].pts
    for wrong in (controls[:, :3], np.zeros((FRAMES + 1, 35)), np.zeros((0, 35)), np.zeros(35)):
        with pytest.raises(facecodec.UsageError, match=r"\[N, 35\]"):
            stream.write(tmp_path / "wrong.fcv", wrong)
    with pytest.raises(facecodec.UsageError, match="finite"):
        stream.write(tmp_path / "wrong.fcv", np.full((2, 35), np.nan))
    with pytest.raises(facecodec.UsageError, match="exists already"):
        stream.write(tmp_path / "edited.fcv", controls)
    with pytest.raises(facecodec.UsageError, match="is an input"):
        stream.write(stream.name, controls, force=True)
    assert [p.name for p in tmp_path.iterdir()] == ["edited.fcv"]


def test_a_pipe_cannot_be_opened_so(monkeypatch, path):
    import io

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    class Standard:
        buffer = Pipe(path.read_bytes())

    monkeypatch.setattr(sys, "stdin", Standard)
    with pytest.raises(facecodec.UsageError, match="open_stream"):
        facecodec.open("-")


@pytest.mark.parametrize(
    "opening", [facecodec.open, facecodec.Avatar.from_identity_file, facecodec.Clip.open]
)
@pytest.mark.parametrize(
    "name", ["pipe", "folder", "none", "a\0b", "\ud800", "x" * 300, "file/x", "/dev/zero"]
)
def test_what_cannot_be_read_is_refused_at_once(opening, name, tmp_path):
    os.mkfifo(tmp_path / "pipe")  # that nobody writes into
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(facecodec.FacecodecError) as error:
        opening(tmp_path / name)
    assert error.value.exit_code == 2 or name == "/dev/zero"
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("pose_alone")
def test_frames_in_memory_give_the_stream_of_their_video(sample, finder, generator, tmp_path):
    """The preset may be one's own, times any of their kinds; sound alone needs the file."""
    with facecodec.Clip.open(sample, start="0:00.04", end=0.12) as clip:
        pictures = np.stack([frame.image for frame in clip.frames()])
    assert len(pictures) == 2
    quick = replace(TINY, keyframes=1)
    facecodec.encode(pictures, tmp_path / "a.fcv", fps=25, preset=quick)
    facecodec.encode(
        sample, tmp_path / "b.fcv", start=Fraction(1, 25), end="0:00.12", audio=False, preset=quick
    )
    a, b = (facecodec.open(tmp_path / name) for name in ("a.fcv", "b.fcv"))
    np.testing.assert_array_equal(a.controls, b.controls)
    assert a.reader.identity_payload == b.reader.identity_payload
    assert a.fps == b.fps == 25 and a[0].time == 0 and b[0].time == 0.04
    assert a.reader.header.metadata["preset"] == "custom"
    with facecodec.Clip.from_frames(pictures, fps=25) as clip:
        facecodec.encode(clip, tmp_path / "c.fcv", preset=quick)
    assert (tmp_path / "c.fcv").read_bytes() == (tmp_path / "a.fcv").read_bytes()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"preset": "best"}, "no preset 'best'; there are: live, fast"),
        ({"tune": "some"}, "no tuning 'some'; there are: none"),
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"start": "soon"}, "'soon' is no time"),
        ({"start": 2, "end": "0:02"}, "end 0:02: lies not behind start 2"),
        ({"end": 0}, "end 0: lies not behind start 0"),
        ({"tune": "light", "identity": "who.fci"}, "tuned already"),
        ({"max_frames": 0}, "max frames 0 is not at least 1"),
        ({"max_frames": "5"}, "max frames '5' is no whole number"),
        ({"max_frames": 2.0}, "max frames 2.0 is no whole number"),
        ({"quality": 101}, "quality 101 is not in 0 to 100"),
        ({"quality": True}, "quality True is no whole number"),
        ({"id_frame": -1}, "id frame -1 is not at least 0"),
        ({"video_track": "0"}, "video track '0' is no whole number"),
        ({"audio_track": -1}, "audio track -1 is not at least 0"),
    ],
)
def test_wrong_arguments_are_one_line_and_name_no_option(option, words, sample, tmp_path):
    with pytest.raises(facecodec.UsageError) as error:
        facecodec.encode(sample, tmp_path / "x.fcv", **option)
    assert words in str(error.value) and "--" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_identity_frame_that_there_is_not(sample, finder, tmp_path):
    with pytest.raises(facecodec.UsageError, match="identity frame 9: the clip has frames 0 to 1"):
        facecodec.encode(sample, tmp_path / "x.fcv", max_frames=2, id_frame=9, preset=TINY)
