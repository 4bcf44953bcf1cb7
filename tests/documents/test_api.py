"""The API reference is made of docstrings, and its maker stops at what cannot be documented."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_api_reference_can_be_made(tmp_path):
    pytest.importorskip("pdoc", reason="no pdoc: pip install 'facecodec[docs]'")
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_api.py", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    front = (tmp_path / "facecodec.html").read_text()
    assert "facecodec.errors" in (tmp_path / "search.js").read_text()
    assert 'id="encode"' in front and 'id="decode"' in front
