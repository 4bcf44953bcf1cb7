"""The folder of real files that were read wrongly, which is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def faults() -> Path:
    folder = Path(os.environ.get("FACECODEC_TEST_FAULTS", ROOT.parent / "shared" / "faults"))
    if not folder.is_dir():
        pytest.skip("no real files of odd kinds: point FACECODEC_TEST_FAULTS at them")
    return folder
