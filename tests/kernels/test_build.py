"""Building and choosing kernels: builds at the same time, no compiler, what is said of it."""

from __future__ import annotations

import ctypes
import dataclasses
import inspect
import itertools
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import cuda_ops
from cuda_ops import build, dispatch
from cuda_ops.cache import cache_folder
from cuda_ops.cpu import library as cpu_library
from cuda_ops.cpu import prebuilt

RENDER = """
import logging, sys, torch, cuda_ops
if "tell" in sys.argv:
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
x = torch.randn(1, 2, 4, 4)
shapes = (2, 3, 3), (3, 2), (4, 4), (3,)
conv = cuda_ops.SeparableConv(*map(torch.randn, shapes))
for _ in range(2):
    print(tuple(cuda_ops.separable_conv(x, torch.randn(1, 2), conv).shape))
"""


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_build_once_then_from_the_cache(recipe, caplog, capfd):
    caplog.set_level("INFO", "cuda_ops")
    library = build.build(recipe)
    assert ctypes.CDLL(str(library)).answer() == 42
    assert "built the one kernels in" in caplog.messages[-1]
    caplog.clear()
    written = library.stat().st_mtime_ns
    assert build.build(recipe) == library
    assert library.stat().st_mtime_ns == written
    assert caplog.messages == []
    assert capfd.readouterr() == ("", "")


def test_the_name_follows_source_flags_and_compiler(recipe, tmp_path):
    names = {build.library_path(recipe)}
    names.add(build.library_path(build.Recipe("one", recipe.compiler, ("one.cpp",), ("-O1",))))
    (tmp_path / "sources" / "helper.h").write_text("// new")
    names.add(build.library_path(recipe))
    source = tmp_path / "sources" / "one.cpp"
    source.write_text(source.read_text().replace("42", "43"))
    names.add(build.library_path(recipe))
    assert len(names) == 4


def test_an_error_leaves_nothing_behind_and_names_its_line(recipe, tmp_path):
    (tmp_path / "sources" / "one.cpp").write_text("int answer( {\n")
    with pytest.raises(cuda_ops.KernelError, match=r"one\.cpp:1:\d+: error") as caught:
        build.build(recipe)
    assert "\n" not in str(caught.value)
    assert files(cache_folder()) == []


def test_a_killed_build_does_not_count(recipe):
    library = build.library_path(recipe)
    unfinished = cache_folder() / ".one-abcdef"
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
    seen = iter([False])  # at the first look it is not there yet
    real = build.is_whole
    monkeypatch.setattr(build, "is_whole", lambda library: next(seen, real(library)))
    assert build.build(recipe) == first
    assert marker.exists()
    assert files(cache_folder()) == [first.parent.name]


def test_a_cache_that_cannot_be_written(recipe, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "file"))
    with pytest.raises(cuda_ops.KernelError, match="FACECODEC_HOME"):
        build.build(recipe)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", RENDER, *arguments],
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
def test_auto_says_what_it_chose_once_and_only_where_asked():
    assert run(FACECODEC_KERNEL="auto").stderr == ""
    lines = run("tell", FACECODEC_KERNEL="auto").stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("cuda_ops: kernels: cpu (")


def test_describe_says_which_kernel_runs_and_why_a_slow_one(monkeypatch):
    with cuda_ops.using("reference", "fp32"):
        assert cuda_ops.describe() == "reference (plain torch), rendered frames in fp32"
    monkeypatch.setattr(dispatch, "_ready", {"cpu": cuda_ops.KernelError("no compiler: c++")})
    with cuda_ops.using("auto", "fp32"):
        assert cuda_ops.describe().endswith("several times slower, because no compiler: c++")


def test_every_operator_is_called_as_its_reference_is():
    for name in ("separable_conv", "mobile_network", "upfirdn2d", "bias_act"):
        operator, reference = getattr(cuda_ops, name), getattr(cuda_ops.Backend, name)
        own = list(inspect.signature(reference).parameters.values())[1:]
        assert list(inspect.signature(operator).parameters.values()) == own
        assert operator.__doc__ == reference.__doc__


def test_tensors_are_found_wherever_they_are_passed():
    """A layer's constants decide, too, and tensors given by name."""
    conv = cuda_ops.SeparableConv(*map(torch.randn, ((2, 3, 3), (3, 2), (4, 4), (3,))))
    x, style = torch.randn(1, 2, 4, 4), torch.randn(1, 2)
    with cuda_ops.using("auto"):
        double = dataclasses.replace(conv, bias=conv.bias.double())
        with pytest.raises(RuntimeError, match="type"):  # mixed: plain torch's own refusal
            cuda_ops.separable_conv(x, style, conv=double)


def test_use_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="no kernel"):
        cuda_ops.use("fastest")
    with pytest.raises(ValueError, match="no arithmetic"):
        cuda_ops.use_arithmetic("int3")


def test_using_puts_the_choice_back():
    with cuda_ops.using("reference"):
        with pytest.raises(RuntimeError), cuda_ops.using("auto", "fp32"):
            raise RuntimeError
        assert dispatch.choice() == "reference"


def test_a_machine_without_a_compiler_takes_the_best_prebuilt_library(
    monkeypatch, tmp_path, caplog
):
    taken = []

    class Loaded:
        def __getattr__(self, name):
            return lambda *_: None

    def load(path, **_):
        taken.append(Path(path).name)
        return Loaded()

    for level in prebuilt.LEVELS:
        (tmp_path / f"{level.name}.so").touch()
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path)
    monkeypatch.setattr(prebuilt.ctypes, "CDLL", load)
    monkeypatch.setattr(prebuilt.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    caplog.set_level("INFO", "cuda_ops")
    for k, level in enumerate(prebuilt.LEVELS):
        flags = frozenset({"sse2", *level.needs})
        monkeypatch.setattr(prebuilt, "processor_flags", lambda flags=flags: flags)
        cpu_library.library.__wrapped__()
        assert taken[-1] == f"{level.name}.so" and "libgomp" in taken[-2], k
        assert caplog.messages[-1].startswith("prebuilt kernels, because no compiler")
    monkeypatch.setattr(prebuilt, "processor_flags", lambda: frozenset({"sse2"}))
    with pytest.raises(cuda_ops.KernelError, match="no compiler"):
        cpu_library.library.__wrapped__()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="levels of x86-64")
@pytest.mark.skipif(shutil.which(build.cplusplus()) is None, reason="no compiler")
@pytest.mark.parametrize("level", prebuilt.LEVELS, ids=lambda level: level.name)
def test_the_sources_are_sound_for_processors_of_every_level(level):
    """What this machine's own level lets through may be missing on another one."""
    flags = [flag for flag in cpu_library.FLAGS if flag != "-march=native"]
    folder = Path(cuda_ops.__file__).parent
    for source in cpu_library.SOURCES:
        subprocess.run(
            [build.cplusplus(), *flags, *level.flags, "-fsyntax-only", folder / source], check=True
        )


def test_an_older_processor_is_not_given_a_later_level():
    needs = [level.needs for level in prebuilt.LEVELS]
    assert all(later > earlier for later, earlier in itertools.pairwise(needs))
    assert prebuilt.level_of(prebuilt.LEVELS[-1].needs - {"fma"}) is None
    without = prebuilt.LEVELS[0].needs - {"amx_bf16"}
    assert prebuilt.level_of(without) is prebuilt.LEVELS[1]


def test_builds_of_other_versions_are_cleaned(recipe):
    current = build.build(recipe)
    other = build.build(dataclasses.replace(recipe, flags=(*recipe.flags, "-DOTHER")))
    (cache_folder() / "notes.txt").touch()
    assert build.clean([recipe]) == [other.parent]
    assert current.exists() and not other.parent.exists()
    assert (cache_folder() / "notes.txt").exists()
    missing = dataclasses.replace(recipe, compiler="/nowhere/g++")
    assert build.clean([missing]) == [current.parent]
