"""A library of one function, built in a folder of the test's."""

from __future__ import annotations

import os

import pytest

import cuda_ops
from cuda_ops import build

SOURCE = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe of one function, its source and its cache in a folder of the test's."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "one.cpp").write_text(SOURCE)
    monkeypatch.setattr(build, "SOURCES", tmp_path / "sources")
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home with blanks"))
    compiler = os.environ.get("CXX", "g++")
    made = build.Recipe("one", compiler, ("one.cpp",), ("-O0", "-fPIC"))
    try:
        build.library_path(made)
    except cuda_ops.KernelError as error:
        pytest.skip(str(error))
    return made
