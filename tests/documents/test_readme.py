"""The README's Python runs as it stands, and again over what it left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import facecodec.encoding.fitted as encoding
from tests.helpers.presets import finding_once

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("tiny_fits", "pose_alone")
def test_python_of_the_readme(tmp_path, monkeypatch, generator, finder):
    monkeypatch.setattr(encoding, "find_person", finding_once(encoding.find_person))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(code) == 1
    short = code[0].replace("max_frames=10", "max_frames=2").replace("render(5", "render(1")
    streams = []
    for _ in range(2):
        names: dict[str, object] = {}
        exec(compile(short, "README.md", "exec"), names)
        assert names["pictures"].shape == (2, 256, 256, 3)
        assert names["picture"].shape == (512, 512, 3)
        streams.append((tmp_path / "ahead.fcv").read_bytes())
    assert streams[0] == streams[1]
