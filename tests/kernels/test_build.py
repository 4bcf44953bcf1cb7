"""Building and choosing kernels: the cache, builds at the same time, no compiler, the one line."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cuda_ops
from cuda_ops import build, dispatch

ONE = 'extern "C" int answer() { return 42; }\n'

RENDER = """
import torch, cuda_ops
x = torch.randn(1, 2, 4, 4)
shapes = (2, 3, 3), (3, 2), (4, 4), (3,)
conv = cuda_ops.SeparableConv(*map(torch.randn, shapes))
for _ in range(2):
    print(tuple(cuda_ops.separable_conv(x, torch.randn(1, 2), conv).shape))
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe of one function, its source and its cache in a folder of the test's."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "one.cpp").write_text(ONE)
    monkeypatch.setattr(build, "SOURCES", tmp_path / "sources")
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home with blanks"))
    compiler = os.environ.get("CXX", "g++")
    made = build.Recipe("one", compiler, ("one.cpp",), ("-O0", "-fPIC"))
    try:
        build.library_path(made)
    except cuda_ops.KernelError as error:
        pytest.skip(str(error))
    return made


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_build_once_then_from_the_cache(recipe, capfd):
    library = build.build(recipe)
    assert ctypes.CDLL(str(library)).answer() == 42
    assert "built the one kernels in" in capfd.readouterr().err
    written = library.stat().st_mtime_ns
    assert build.build(recipe) == library
    assert library.stat().st_mtime_ns == written
    assert capfd.readouterr().err == ""


def test_the_name_follows_source_flags_and_compiler(recipe, tmp_path):
    names = {build.library_path(recipe)}
    names.add(build.library_path(build.Recipe("one", recipe.compiler, ("one.cpp",), ("-O1",))))
    (tmp_path / "sources" / "helper.h").write_text("// new")
    names.add(build.library_path(recipe))
    (tmp_path / "sources" / "one.cpp").write_text(ONE.replace("42", "43"))
    names.add(build.library_path(recipe))
    assert len(names) == 4


def test_an_error_leaves_nothing_behind_and_names_its_line(recipe, tmp_path):
    (tmp_path / "sources" / "one.cpp").write_text("int answer( {\n")
    with pytest.raises(cuda_ops.KernelError, match=r"one\.cpp:1:\d+: error") as caught:
        build.build(recipe)
    assert "\n" not in str(caught.value)
    assert files(build.cache_folder()) == []


def test_a_killed_build_does_not_count(recipe):
    library = build.library_path(recipe)
    unfinished = build.cache_folder() / ".one-abcdef"
    unfinished.mkdir(parents=True)
    (unfinished / "one.so").write_bytes(b"half")
    assert ctypes.CDLL(str(build.build(recipe))).answer() == 42
    os.utime(unfinished, (0, 0))
    library.unlink()
    build.build(recipe)
    assert not unfinished.exists()


def test_a_folder_without_its_library_is_replaced(recipe):
    library = build.library_path(recipe)
    library.parent.mkdir(parents=True)
    (library.parent / "junk").write_text("")
    assert build.build(recipe) == library
    assert ctypes.CDLL(str(library)).answer() == 42


def test_a_build_that_comes_second_takes_what_is_there(recipe, monkeypatch):
    first = build.build(recipe)
    marker = first.parent / "first"
    marker.write_text("")
    seen = iter([False])
    real = Path.is_file
    monkeypatch.setattr(
        Path, "is_file", lambda self: next(seen, real(self)) if self == first else real(self)
    )
    assert build.build(recipe) == first
    assert marker.exists()
    assert files(build.cache_folder()) == [first.parent.name]


def test_a_cache_that_cannot_be_written(recipe, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "file"))
    with pytest.raises(cuda_ops.KernelError, match="FACECODEC_HOME"):
        build.build(recipe)


def run(**variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", RENDER],
        env=os.environ | variables, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_without_a_compiler_the_reference_runs_and_says_so_once():
    result = run(CXX="/nonexistent/g++", FACECODEC_KERNEL="auto")
    assert result.stdout.split("\n")[:2] == ["(1, 3, 4, 4)"] * 2
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert "reference" in lines[0] and "/nonexistent/g++" in lines[0]


def test_an_explicit_choice_that_cannot_be_had_is_an_error():
    result = run(CXX="/nonexistent/g++", FACECODEC_KERNEL="cpu")
    assert result.returncode != 0
    assert "KernelError: no compiler" in result.stderr


def test_a_wrong_variable_is_an_error():
    assert "there are auto, reference" in run(FACECODEC_KERNEL="fastest").stderr


@pytest.mark.skipif(dispatch.state("cpu") != "ready", reason="no C++ kernels here")
def test_auto_says_what_it_chose_once():
    lines = run(FACECODEC_KERNEL="auto").stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("facecodec: kernels: cpu (")
    assert run(FACECODEC_KERNEL="cpu").stderr == ""


def test_use_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="no kernel"):
        cuda_ops.use("fastest")
    with pytest.raises(ValueError, match="no precision"):
        cuda_ops.use_precision("int3")


def test_using_puts_the_choice_back():
    with cuda_ops.using("reference"):
        with pytest.raises(RuntimeError), cuda_ops.using("auto", "fp32"):
            raise RuntimeError
        assert dispatch.choice() == "reference"
