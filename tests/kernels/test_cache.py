"""What is executed is checked first: damage, other people's folders, relative cache folders."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

import cuda_ops
from cuda_ops import build, cache

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 65534


def answer(recipe: build.Recipe) -> int:
    return int(ctypes.CDLL(str(build.build(recipe))).answer())


def truncate(library: Path) -> None:
    library.write_bytes(library.read_bytes()[:2000])


def flip(library: Path) -> None:
    content = bytearray(library.read_bytes())
    content[len(content) // 3] ^= 0xFF
    library.write_bytes(content)


def empty(library: Path) -> None:
    library.write_bytes(b"")


def forget_the_hash(library: Path) -> None:
    library.with_name("one.so.sha256").unlink()


def garble_the_hash(library: Path) -> None:
    library.with_name("one.so.sha256").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("damage", [truncate, flip, empty, forget_the_hash, garble_the_hash])
def test_a_damaged_library_is_built_again_and_said_so(recipe, caplog, damage):
    library = build.build(recipe)
    whole = library.read_bytes()
    damage(library)
    assert build.build(recipe) == library
    assert library.read_bytes() == whole
    assert [r.levelname for r in caplog.records if "damaged" in r.message] == ["WARNING"]
    assert answer(recipe) == 42


def test_nothing_is_loaded_that_was_not_built(recipe, monkeypatch):
    """Where it cannot be built again, a damaged library is an error and not a crash."""
    truncate(build.build(recipe))
    monkeypatch.setattr(build, "find_ninja", lambda: None)
    with pytest.raises(cuda_ops.KernelError, match="ninja is missing"):
        build.load(recipe)


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o1777])
@pytest.mark.parametrize("part", ["home", "kernels", "folder", "library"])
def test_what_others_can_write_to_is_refused(recipe, part, mode):
    library = build.build(recipe)
    paths = {"library": library, "folder": library.parent, "kernels": library.parent.parent}
    path = (paths | {"home": library.parent.parent.parent})[part]
    path.chmod(mode)
    with pytest.raises(cuda_ops.KernelError, match="other users could plant code") as caught:
        build.build(recipe)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    path.chmod(0o700)
    assert answer(recipe) == 42


@as_root
@pytest.mark.parametrize("part", ["home", "kernels", "folder", "library"])
def test_what_belongs_to_somebody_else_is_refused(recipe, part):
    library = build.build(recipe)
    paths = {"library": library, "folder": library.parent, "kernels": library.parent.parent}
    path = (paths | {"home": library.parent.parent.parent})[part]
    os.chown(path, STRANGER, STRANGER)
    with pytest.raises(cuda_ops.KernelError, match="belongs to another user"):
        build.build(recipe)


@as_root
def test_a_link_is_judged_by_where_it_leads(recipe, tmp_path):
    library = build.build(recipe)
    elsewhere = tmp_path / "elsewhere"
    library.parent.rename(elsewhere)
    library.parent.symlink_to(elsewhere)
    os.chown(elsewhere, STRANGER, STRANGER)
    with pytest.raises(cuda_ops.KernelError, match="belongs to another user"):
        build.build(recipe)


def test_a_shared_group_is_refused_and_the_user_s_own_is_not(recipe, monkeypatch):
    """Many systems give every user a group, and make folders that it can write to."""
    root = build.build(recipe).parent.parent
    root.chmod(0o770)
    assert answer(recipe) == 42
    monkeypatch.setattr(cache, "_private_group", lambda gid: False)
    with pytest.raises(cuda_ops.KernelError, match="other users could plant code"):
        build.build(recipe)


def test_the_folder_is_made_for_this_user_alone(recipe):
    before = os.umask(0)
    try:
        root = build.build(recipe).parent.parent
        assert answer(recipe) == 42
    finally:
        os.umask(before)
    assert [folder.stat().st_mode & 0o777 for folder in (root, root.parent)] == [0o700] * 2


def test_a_relative_cache_home_is_ignored(monkeypatch, tmp_path):
    monkeypatch.delenv("FACECODEC_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for relative in ("", ".", "cache", "../x"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert cache.cache_folder() == tmp_path / ".cache" / "facecodec" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache.cache_folder() == tmp_path / "mine" / "facecodec" / "kernels"
