"""The examples run as they stand, and again over what they left."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

import facecodec.encoding.fitted as encoding
from tests.helpers.presets import finding_once

FOLDER = Path(__file__).resolve().parent.parent / "examples"
FIRST = "encode_decode.py"


@pytest.mark.usefixtures("tiny_fits", "pose_alone")
def test_examples_run_twice(tmp_path, monkeypatch, capsys, generator, finder):
    monkeypatch.setattr(encoding, "find_person", finding_once(encoding.find_person))
    names = sorted(path.name for path in FOLDER.glob("*.py"))
    order = [FIRST, *(name for name in names if name != FIRST)]
    readme = (FOLDER / "README.md").read_text()
    made = []
    for _ in range(2):
        for name in order:
            assert name in readme
            monkeypatch.setattr(sys, "argv", [name, str(tmp_path)])
            runpy.run_path(str(FOLDER / name), run_name="__main__")
            assert capsys.readouterr().out
        made.append({path.name: path.read_bytes() for path in tmp_path.glob("*.fcv")})
    assert made[0] == made[1] and len(made[0]) == 6
