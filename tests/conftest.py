"""Fixtures: the installed models, the project's own sample, real clips where there are any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facecodec.errors import ModelError
from facecodec.process import set_process_defaults
from tests.helpers.presets import TINY, fast_is, pose_corrected_alone

set_process_defaults()  # before torch is loaded

ROOT = Path(__file__).resolve().parent.parent


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
    with fast_is(TINY):
        yield


@pytest.fixture
def pose_alone():
    """Landmarks correct the pose alone; tests/end_to_end/test_sample.py corrects all controls."""
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


@pytest.fixture(scope="session")
def finder():
    """dlib's landmark finder."""
    from facecodec.models import landmark_finder

    try:
        return landmark_finder()
    except ModelError as error:
        pytest.skip(str(error))
