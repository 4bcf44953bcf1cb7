"""Commands that draw nothing need neither torch nor a face finder, and begin at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facecodec.rig.rig import shipped_rigs
from tests.helpers import toy_streams

# Runs a command in a process that cannot import what only drawing needs.
WITHOUT = """
import sys
for name in ("torch", "dlib", "av", "PIL", "pillow_heif", "cuda_ops"):
    sys.modules[name] = None
from facecodec.cli.main import run
run(sys.argv[1:])
"""

COMMANDS = {
    "info": ("info", "IN"),
    "verify": ("verify", "IN"),
    "cut": ("cut", "IN", "out.fcv"),
    "export": ("export", "IN", "out.csv"),
    "edit": ("edit", "IN", "out.fcv", "--gain", "yaw=1.1"),
    "identity extract": ("identity", "extract", "IN", "out.fci"),
    "model list": ("model", "list"),
    "help": ("--help",),
}


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> Path:
    """A stream of the shipped rig, and of a person whom nobody draws."""
    path = tmp_path_factory.mktemp("stream") / "talk.fcv"
    rig = next(shipped_rigs())
    path.write_bytes(
        toy_streams.write(6, head=toy_streams.header(rig_sha256=bytes.fromhex(rig.sha256)))
    )
    return path


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], cwd=folder, text=True, capture_output=True,
        env=dict(os.environ), timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_without_torch(command, stream, tmp_path):
    words = [str(stream) if word == "IN" else word for word in COMMANDS[command]]
    done = ran(tmp_path, *words)
    assert done.returncode == 0, done.stderr


def test_a_command_that_needs_torch_says_so(stream, tmp_path):
    done = ran(tmp_path, "decode", str(stream), "out.mp4")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "needs" in line and "pip install facecodec" in line and "Traceback" not in line
