"""Small libraries: built here or brought by a wheel, and done without where there is neither."""

from __future__ import annotations

import shutil

import pytest

from cuda_ops import build
from cuda_ops.plain import PlainLibrary
from facecodec.bitstream.coding import compiled as tracks
from facecodec.compositing import compiled as painter
from facecodec.face import cascade
from facecodec.video import planes

SOURCE = 'extern "C" int answer() { return ANSWER; }\n'


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Make a library that answers 42, and a wheel's that answers 7, in a folder of the test's."""
    if shutil.which(build.cplusplus()) is None:
        pytest.skip("no compiler")
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home"))

    def made(native: bool, shipped: bool) -> PlainLibrary:
        source = tmp_path / "one.cpp"
        source.write_text(SOURCE)
        library = PlainLibrary(
            sources=(source,), flags=("-DANSWER=42",), native=native, without="nothing answers"
        )
        if shipped:
            other = PlainLibrary(sources=(source,), flags=("-DANSWER=7",), without="")
            library.prebuilt.parent.mkdir()
            shutil.copy(build.build(other.recipe()), library.prebuilt)
        return library

    return made


@pytest.mark.parametrize(
    ("native", "shipped", "answer"), [(False, False, 42), (False, True, 7), (True, True, 42)]
)
def test_a_wheel_s_is_taken_unless_one_of_this_processor_is_faster(make, native, shipped, answer):
    assert make(native, shipped).load().answer() == answer


def test_without_a_compiler_the_wheel_s_is_taken(make, monkeypatch):
    library = make(True, True)
    monkeypatch.setenv("CXX", "/nowhere/g++")
    assert library.load().answer() == 7


@pytest.mark.parametrize("module", [tracks, painter, cascade, planes])
def test_what_is_done_without_is_said(module, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "/nowhere/g++")
    monkeypatch.setattr(PlainLibrary, "prebuilt", tmp_path / "none.so")
    module.library.cache_clear()
    with caplog.at_level("INFO", logger="cuda_ops.plain"):
        assert module.library() is None
    module.library.cache_clear()
    assert module.plain().without in caplog.text and "/nowhere/g++" in caplog.text
