"""The tests of the browser's player that need no browser: `node --test web/tests`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.third import NODE

WEB = Path(__file__).resolve().parent.parent.parent / "web"


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_package_passes_its_own_tests():
    command = [str(NODE), "--test", "tests/"]
    done = subprocess.run(
        command, cwd=WEB, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "# pass 0" not in done.stdout
