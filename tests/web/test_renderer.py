"""The browser's renderer draws what ours does: networks, people and tunings in WebAssembly."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import cuda_ops
from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import StreamWriter, open_stream
from facecodec.decoding.stream import Stream
from facecodec.fit.weight_tuning import tensor_sizes
from facecodec.models import FaceModel
from facecodec.web.export import export
from tests.helpers.streams import make_stream

WEB = Path(__file__).resolve().parent.parent.parent / "web"
LEAST = 45.0  # dB against ours in float32: weights are in half precision, pictures in bytes
RELAXED = "--experimental-wasm-relaxed-simd"  # node 20 has it behind this


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def ours(avatar: Avatar, controls: np.ndarray, size: int) -> np.ndarray:
    """Draw in float32: in full, the mean of full pixels, or the generator's preview."""
    styles = avatar.styles[None] + torch.from_numpy(controls) @ avatar.basis
    with torch.inference_mode():
        if size in avatar.generator.preview_sizes:
            pictures = avatar.generator.preview(styles, size)
        else:
            full = avatar.generator.synthesize(styles)
            pictures = torch.nn.functional.avg_pool2d(full, 1024 // size)
        return cuda_ops.rgb8(pictures).numpy()


@pytest.fixture
def folder(export_tiny, tiny_stream, tmp_path):
    export_tiny(tmp_path / "out", [tiny_stream], device="cpu")
    return tmp_path / "out"


@pytest.mark.parametrize("size", [128, 256, 512, 1024])
def test_pictures_are_ours(size, folder, tiny, tiny_stream, draw):
    avatar = Avatar.from_stream(tiny_stream, model=tiny)
    wanted = ours(avatar, Stream(tiny_stream).controls[[0, 3]], size)
    assert wanted.std() > 10 and np.mean((wanted == 0) | (wanted == 255)) < 0.2
    got = draw(folder, tiny_stream, size, [0, 3])
    assert (got[..., 3] == 255).all()
    assert psnr(got[..., :3], wanted) > LEAST
    assert psnr(got[1, ..., :3], wanted[0]) < LEAST - 10  # the other frame is told apart


@pytest.mark.parametrize("kind", ["small", "light", "full"])
def test_tunings(kind, folder, tiny, tmp_path, draw):
    rng = np.random.default_rng(1)
    values = 0.3 * rng.standard_normal((36, tiny.generator.num_styles))
    tuning = Tuning.light(values, np.full(36, 0.05))
    if kind == "small":
        shares = 3 * rng.standard_normal((35, 3))
        tuning = Tuning.small(values[:4], shares, 0.05)
    elif kind == "full":
        count = sum(tensor_sizes(tiny.generator))
        tuning = tuning.with_weights(0.1 * rng.standard_normal(count), 0.01)
    plain = make_stream(tmp_path / "plain.fcv", *tiny, 2)
    avatar = Avatar(tiny, Avatar.from_stream(plain, model=tiny).latent, tuning)
    path = tmp_path / "tuned.fcv"
    _write_with(avatar, plain, path)
    wanted = ours(Avatar.from_stream(path, model=tiny), Stream(path).controls[:1], 256)
    assert psnr(draw(folder, path, 256, [0])[..., :3], wanted) > LEAST
    assert psnr(draw(folder, plain, 256, [0])[..., :3], wanted) < LEAST - 10


def _write_with(avatar: Avatar, source: Path, path: Path) -> None:
    stream = open_stream(source)
    with path.open("wb") as file, StreamWriter(file, stream.header) as writer:
        avatar.write_to(writer)
        for frame in stream.frames():
            writer.write_frame(frame.pts, frame.controls, frame.placement, frame.flags)


def test_fused_products_round_alike(folder, tiny_stream, draw):
    plain = draw(folder, tiny_stream, 256, [1])
    fused = draw(
        folder, tiny_stream, 256, [1], RELAXED,
        kernels=WEB / "player" / "render" / "kernels-relaxed.wasm",
    )  # fmt: skip
    assert np.abs(plain.astype(int) - fused).max() <= 1


@pytest.mark.parametrize("size", [128, 512])
def test_integers_are_as_good_as_floats(size, folder, tiny_stream, draw):
    floats = draw(folder, tiny_stream, size, [0], products="floats")
    integers = draw(folder, tiny_stream, size, [0], products="integers")
    assert 55 < psnr(integers, floats) < 100  # they were not the same products


@pytest.mark.slow
@pytest.mark.parametrize("size", [256, 1024])
def test_the_default_generator(size, generator, rig, tmp_path, draw):
    path = make_stream(tmp_path / "talk.fcv", generator, rig, 2)
    export(tmp_path / "out", [path], device="cpu")
    avatar = Avatar.from_stream(path, model=FaceModel(generator, rig))
    wanted = ours(avatar, Stream(path).controls[:1], size)
    assert psnr(draw(tmp_path / "out", path, size, [0])[..., :3], wanted) > LEAST


def test_kernels_are_those_of_their_source(tmp_path):
    if shutil.which("clang-19") is None or shutil.which("wasm-ld-19") is None:
        pytest.skip("needs clang-19 and lld-19")
    asked = subprocess.run(["clang-19", "--version"], capture_output=True, text=True, check=True)
    wanted = (WEB / "kernels" / "compiler.txt").read_text().strip()
    if asked.stdout.splitlines()[0].strip() != wanted:
        pytest.skip(f"needs {wanted}")
    subprocess.run([str(WEB / "kernels" / "build.sh"), str(tmp_path)], check=True, timeout=120)
    for name in ("kernels.wasm", "kernels-relaxed.wasm"):
        assert (tmp_path / name).read_bytes() == (WEB / "player" / "render" / name).read_bytes()
