"""An imported StyleGAN2 from checkpoint to video; its picture is noise, the way there is not."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from facecodec.bitstream import StreamReader
from facecodec.generator.stylegan2_layout import Layout
from facecodec.rig.rig import Offset, PoseAxis, Rig
from facecodec.weights import store
from tests.helpers.checkpoints import SMALL, random_tensors, write_nvidia
from tests.helpers.commands import run

FRAMES = 2
pytestmark = pytest.mark.usefixtures("tiny_fits", "pose_alone")  # noise is fitted to no face anyway
F_1024 = Layout((512, 512, 512, 512, 512, 256, 128, 64, 32), 8, noise=True, clamp=False)


@pytest.fixture
def own_home(tmp_path, monkeypatch) -> Path:
    """A store of its own that borrows the installed face models."""
    shared = store.models_folder()
    if not (shared / "dlib-landmarks.json").is_file():
        pytest.skip("the landmark model is not installed: facecodec model install dlib-landmarks")
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home"))
    store.models_folder().mkdir(parents=True)
    for path in shared.glob("dlib-*"):
        (store.models_folder() / path.name).symlink_to(path)
    return tmp_path


def some_rig(name: str) -> Rig:
    """Any 35 controls of an installed generator."""
    generator = store.load_generator(name)
    noise = np.random.Generator(np.random.PCG64(3)).standard_normal((3, 512))
    pose = tuple(
        PoseAxis(axis, tuple(float(v) for v in row), 4, 0.9, 1.0)
        for axis, row in zip(("yaw", "pitch", "roll"), noise, strict=True)
    )
    offsets = tuple(Offset("6", channel, 1.0, "mouth", 1.0, 0.5) for channel in range(32))
    return Rig(name, generator.sha256, 3, 0, pose, offsets)


def round_trip(layout: Layout, clip: Path, folder: Path, frames: int) -> None:
    checkpoint = write_nvidia(folder / "noise.pkl", random_tensors(layout))
    run("model", "import", checkpoint, "--name", "noise")
    checkpoint.unlink()
    rig, stream, video = folder / "rig.json", folder / "out.fcv", folder / "out.mp4"
    some_rig("noise").save(rig)
    run("encode", clip, stream, "--model", "noise", "--rig", rig, "--preset", "fast",
        "--max-frames", frames)  # fmt: skip
    with stream.open("rb") as file:
        header = StreamReader(file).header
    assert header.generator_sha256.hex() == store.read_record("noise").sha256
    assert (header.num_ws, header.resolution) == (layout.num_ws, layout.resolution)
    run("decode", stream, video, "--rig", rig)
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames


def test_import_encode_decode_at_64(own_home, sample):
    round_trip(SMALL, sample, own_home, FRAMES)


@pytest.mark.slow
def test_import_encode_decode_at_1024(own_home, sample):
    round_trip(F_1024, sample, own_home, 2)
