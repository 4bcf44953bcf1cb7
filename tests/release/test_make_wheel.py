"""The wheel brings every library that is compiled from the project's C++, for every processor."""

from __future__ import annotations

import configparser
import runpy
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from cuda_ops import build
from cuda_ops.build import cplusplus
from cuda_ops.cpu.library import FLAGS, SOURCES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plain() -> tuple[Any, ...]:
    """The modules whose libraries any processor runs."""
    return runpy.run_path(str(ROOT / "release" / "make_wheel.py"))["PLAIN"]


def test_every_source_is_compiled(plain):
    made = {source for module in plain for source in module.plain().sources}
    assert made == set((ROOT / "facecodec").rglob("*.cpp"))


def test_every_library_is_packed(plain):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packed = setup["options.package_data"]
    for module in plain:
        library = module.plain()
        folder = library.prebuilt.parents[1]
        patterns = packed[".".join(folder.relative_to(ROOT).parts)].split(", ")
        for path in (library.prebuilt, *library.sources):
            name = path.relative_to(folder).as_posix()
            assert any(fnmatch(name, pattern) for pattern in patterns), path


@pytest.mark.parametrize("level", ["x86-64-v3", "x86-64-v4"])
def test_kernels_compile_for_processors_that_this_one_is_not(level):
    """What only this machine's instruction sets declare is missing elsewhere."""
    compiler = cplusplus()
    if shutil.which(compiler) is None:
        pytest.skip("no compiler")
    flags = [*(flag for flag in FLAGS if flag != "-march=native"), "-Werror", f"-march={level}"]
    for source in SOURCES:
        subprocess.run(
            [compiler, *flags, "-Wno-unused-parameter", "-fsyntax-only", build.SOURCES / source],
            check=True,
        )
