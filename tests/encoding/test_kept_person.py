"""The person of an encode that dies is kept, and spares the next one the inversion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from unittest import mock

import pytest

import facecodec
import facecodec.encoding.fitted as encoding
from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.bitstream import load_identity_file
from facecodec.cli.main import run
from facecodec.encoding.write import KeptPerson
from tests.helpers.presets import TINY, fast_is, finding_once

ARGUMENTS = {"preset": TINY, "max_frames": 2}

# encodes with the tiny preset, and stays in tracking until it is killed
LONG = """
import sys, time
import facecodec
from tests.helpers.presets import TINY
def stay(stage, done, total):
    if stage == "tracking":
        print("tracking", flush=True)
        time.sleep(60)
facecodec.encode(sys.argv[1], sys.argv[2], preset=TINY, max_frames=2, progress=stay)
"""


@pytest.fixture(scope="module", autouse=True)
def found_once():
    """The person of the sample is sought once: what becomes of them is what is tested here."""
    with mock.patch.object(encoding, "find_person", finding_once(encoding.find_person)):
        yield


@pytest.fixture
def dying(monkeypatch):
    """Tracking raises this."""

    def die(error):
        def raised(*_):
            raise error

        monkeypatch.setattr(encoding, "track_clip", raised)

    return die


@pytest.mark.usefixtures("pose_alone")
def test_a_whole_stream_leaves_nothing_beside_it(sample, generator, finder, tmp_path):
    facecodec.encode(sample, tmp_path / "a.fcv", **ARGUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.fcv"]


@pytest.mark.parametrize("error", [facecodec.FacecodecError("no space"), KeyboardInterrupt()])
def test_what_is_raised_says_where_the_person_is(error, dying, sample, generator, finder, tmp_path):
    dying(error)
    with pytest.raises(type(error)) as raised:
        facecodec.encode(sample, tmp_path / "a.fcv", **ARGUMENTS)
    [kept] = tmp_path.iterdir()
    assert kept.name == "a.fcv.person.fci"
    assert str(kept) in "".join(raised.value.__notes__) and "identity" in raised.value.__notes__[0]


@pytest.mark.usefixtures("pose_alone")
def test_the_person_that_is_kept_is_one(dying, sample, generator, finder, tmp_path, monkeypatch):
    dying(facecodec.FacecodecError("no space"))
    with pytest.raises(facecodec.FacecodecError):
        facecodec.encode(sample, tmp_path / "a.fcv", **ARGUMENTS)
    [kept] = tmp_path.iterdir()
    monkeypatch.undo()
    facecodec.encode(sample, tmp_path / "a.fcv", identity=kept, **ARGUMENTS)
    stream = facecodec.open(tmp_path / "a.fcv")  # finds the person beside it
    assert stream.reader.identity_reference == load_identity_file(kept).sha256
    assert stream.render(0, 256).shape == (256, 256, 3)


def test_the_command_says_so_in_its_one_line(dying, sample, generator, finder, tmp_path, capsys):
    dying(KeyboardInterrupt())
    with fast_is(TINY), pytest.raises(SystemExit) as stop:
        run(["encode", str(sample), str(tmp_path / "a.fcv"), "--preset", "fast",
             "--max-frames", "2", "-q"])  # fmt: skip
    error = capsys.readouterr().err
    assert stop.value.code == 130 and "a.fcv.person.fci" in error
    assert error.strip().startswith("facecodec: interrupted; the person is kept in")
    assert error.strip().count("\n") == 0


def test_nothing_is_kept_unless_asked_for(dying, sample, generator, finder, tmp_path):
    dying(facecodec.FacecodecError("no space"))
    with pytest.raises(facecodec.FacecodecError) as raised:
        facecodec.encode(sample, tmp_path / "a.fcv", keep_person=False, **ARGUMENTS)
    assert list(tmp_path.iterdir()) == [] and not hasattr(raised.value, "__notes__")


def test_a_killed_encode_leaves_the_person(sample, generator, finder, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, str(sample), str(tmp_path / "a.fcv")],
        stdout=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert process.stdout.readline() == "tracking\n"
    begin = time.monotonic()
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    assert time.monotonic() - begin < 30
    assert load_identity_file(tmp_path / "a.fcv.person.fci").num_ws == generator.num_ws
    assert not (tmp_path / "a.fcv").exists()


class Saved:
    """Stands for an avatar: saves these bytes as one is saved."""

    def save(self, path, *, force=False):
        refuse_overwrite(path, force)
        with opened_whole(path) as file:
            file.write(b"a person")


@pytest.mark.parametrize("kind", ["file", "link to a file", "link to nothing", "folder"])
def test_what_bears_the_name_already_stays(kind, tmp_path):
    """A person that the user kept, or one of an encode that died, is not written over."""
    there, victim = tmp_path / "a.fcv.person.fci", tmp_path / "victim"
    victim.write_bytes(b"mine")
    if kind == "file":
        there.write_bytes(b"mine")
    elif kind == "folder":
        there.mkdir()
    else:
        there.symlink_to("victim" if kind == "link to a file" else "gone")
    before = sorted(tmp_path.iterdir())
    with KeptPerson(tmp_path / "a.fcv") as kept:
        kept.keep(Saved())
        assert kept.path == tmp_path / "a.fcv.2.person.fci"
        assert kept.path.read_bytes() == b"a person"
    assert sorted(tmp_path.iterdir()) == before and victim.read_bytes() == b"mine"
    if kind == "file":
        assert there.read_bytes() == b"mine"


def test_two_encodes_to_one_name_keep_two_persons(tmp_path):
    with KeptPerson(tmp_path / "a.fcv") as one, KeptPerson(tmp_path / "a.fcv") as two:
        one.keep(Saved())
        two.keep(Saved())
        assert one.path != two.path and one.path.exists() and two.path.exists()


def test_a_long_name_keeps_a_person_too(tmp_path):
    with KeptPerson(tmp_path / ("é" * 125 + ".fcv")) as kept:
        kept.keep(Saved())
        assert kept.path.exists()


def test_a_person_that_cannot_be_kept_ends_no_encode(tmp_path):
    with KeptPerson(tmp_path / "gone" / "a.fcv") as kept:
        kept.keep(Saved())
        assert kept.path is None
