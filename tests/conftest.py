"""Fixtures: the installed models, the project's own sample, real clips where there are any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facecodec.errors import ModelError
from facecodec.process import set_process_defaults

# Before torch is loaded, so that fixtures import what loads it; tests side by side share cores.
set_process_defaults()
if processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.pop("COLUMNS", None)  # xdist sets it; a pipe has tables that are not folded
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // int(processes)))

ROOT = Path(__file__).resolve().parent.parent


# Files whose tests encode take minutes of a processor: first, so that none is left at the end.
LONG = ("end_to_end", "test_examples", "test_api", "encoding", "metrics", "rig", "study", "fit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; processes that test side by side take files in this order."""

    def place(item: pytest.Item) -> int:
        names = (*item.path.relative_to(ROOT).parts[:-1], item.path.stem)
        return next((i for i, name in enumerate(LONG) if name in names), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real clips, which are not part of the project."""
    folder = Path(os.environ.get("FACECODEC_TEST_CLIPS", ROOT.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip("no real clips: point FACECODEC_TEST_CLIPS at a folder of talking heads")
    return folder


@pytest.fixture
def tiny_fits():
    """The preset that commands call `fast` takes every kind of step of an encode once."""
    from tests.helpers.presets import TINY, fast_is

    with fast_is(TINY):
        yield


@pytest.fixture
def pose_alone():
    """Landmarks correct the pose alone; tests/end_to_end/test_sample.py corrects all controls."""
    from tests.helpers.presets import pose_corrected_alone

    with pose_corrected_alone():
        yield


@pytest.fixture(scope="session")
def sample() -> Path:
    """The project's own clip: a person who does not exist, 640x480, 25 fps, with audio."""
    return ROOT / "samples" / "sample.mp4"


@pytest.fixture(scope="session")
def generator():
    """The default generator."""
    from facecodec.weights.store import load_generator

    try:
        return load_generator()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def rig(generator):
    """The default generator's rig."""
    from facecodec.rig.rig import load_rig

    return load_rig(generator)


@pytest.fixture
def small_rig(rig, tmp_path) -> Path:
    """A file of the default rig's first eight controls beside pose, so that fits take less."""
    from tests.helpers.rigs import resized

    resized(rig, 6, 2).save(tmp_path / "small.json")
    return tmp_path / "small.json"


@pytest.fixture(scope="session")
def finder():
    """dlib's landmark finder."""
    from facecodec.models import landmark_finder

    try:
        return landmark_finder()
    except ModelError as error:
        pytest.skip(str(error))
