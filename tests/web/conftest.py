"""Fixtures of the player: a tiny generator, a stream of it, and what node draws."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from facecodec.models import FaceModel
from facecodec.web import export as exporting
from tests.helpers import browser as browsers
from tests.helpers.streams import make_stream
from tests.helpers.third import NODE
from tests.helpers.tiny_generator import tiny_generator, tiny_rig

ROOT = Path(__file__).resolve().parent.parent.parent
ARGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
KERNELS = ROOT / "web" / "player" / "render"


@pytest.fixture(scope="session")
def tiny() -> FaceModel:
    generator = tiny_generator()
    return FaceModel(generator, tiny_rig(generator))


@pytest.fixture(scope="session")
def tiny_stream(tiny, tmp_path_factory) -> Path:
    return make_stream(tmp_path_factory.mktemp("tiny") / "tiny.fcv", *tiny, 4)


@pytest.fixture
def export_tiny(tiny, monkeypatch):
    """`export`, of streams of the tiny generator, which is not installed."""
    monkeypatch.setattr(exporting, "load_stream_models", lambda *_: tiny)
    return exporting.export


@pytest.fixture(scope="session")
def draw(tmp_path_factory):
    """Draw frames of a stream in node, as the player does: uint8 [N, size, size, 4]."""
    if NODE is None:
        pytest.skip("needs node")
    out = tmp_path_factory.mktemp("drawn") / "pictures.bin"

    def drawn(folder, stream, size, frames, *flags, products="integers", **more):
        kernels = more.get("kernels", KERNELS / "kernels.wasm")
        script = str(ROOT / "web" / "tests" / "draw.mjs")
        given = [folder, stream, size, kernels, products, out, *frames]
        command = [str(NODE), *flags, script, *map(str, given)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        drawn.ms = json.loads(done.stdout)["ms"]
        return np.fromfile(out, np.uint8).reshape(-1, size, size, 4)

    return drawn


@pytest.fixture(scope="module")
def chromium():
    """Start a headless chromium with arguments more."""
    with browsers.chromium() as launch:
        yield lambda more=(): launch([*ARGS, *more])


@pytest.fixture(scope="module")
def browser(chromium):
    launched = chromium()
    yield launched
    launched.close()
