"""The default generator against OpenVINO's run of the very networks its package ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import cuda_ops

VECTORS = Path(__file__).parents[1] / "vectors" / "mobilestylegan.npz"
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def golden():
    with np.load(VECTORS, allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture(params=["reference", "cpu"])
def kernel(request):
    try:
        cuda_ops.use(request.param)
    except cuda_ops.KernelError as error:
        pytest.skip(str(error))
    yield request.param
    cuda_ops.use(None)


def test_mapping(generator, golden):
    with torch.no_grad():
        assert (generator.mapping(golden["z"]) - golden["w"]).abs().max() < TOLERANCE


def test_synthesis_in_fp32(generator, golden, kernel):
    with torch.no_grad():
        for w, pixels, blocks in zip(golden["w"], golden["pixels"], golden["blocks"], strict=True):
            picture = generator.synthesize(generator.styles(generator.broadcast(w[None])))[0]
            assert (picture[:, 5::16, 5::16] - pixels).abs().max() < TOLERANCE
            means = picture.reshape(3, 32, 32, 32, 32).mean((2, 4))
            assert (means - blocks).abs().max() < TOLERANCE


def test_the_vectors_can_tell(generator, golden):
    """One channel moved by a tenth of its deviation is far outside the tolerance."""
    with torch.no_grad():
        styles = generator.styles(generator.broadcast(golden["w"][:1]))
        spread = styles[:, generator.channel("2.conv2", 284)].abs()
        styles[:, generator.channel("2.conv2", 284)] += 0.1 * spread + 0.1
        picture = generator.synthesize(styles)[0]
    assert (picture[:, 5::16, 5::16] - golden["pixels"][0]).abs().max() > 3 * TOLERANCE


def test_channels_have_addresses(generator):
    assert generator.num_styles == 6752 and len(generator.layers) == 23
    assert generator.channel("conv1", 0) == 0
    assert generator.channel("to_img", 0) == generator.num_styles - generator.layers[-1].size
    with pytest.raises(KeyError):
        generator.channel("9.up", 0)
    with pytest.raises(IndexError):
        generator.channel("2.up", 4096)


@pytest.mark.parametrize(("size", "decibels"), [(256, 28), (128, 24), (64, 22)])
def test_previews_resemble_the_picture(generator, golden, size, decibels):
    """Floors on faces without truncation, which are harder than those that are fitted."""
    with torch.no_grad():
        styles = generator.styles(generator.broadcast(golden["w"]))
        small = generator.preview(styles, size)
        full = torch.nn.functional.avg_pool2d(generator.synthesize(styles), 1024 // size)
    psnr = -10 * ((small - full) / 2).square().mean((1, 2, 3)).log10()
    assert psnr.min() > decibels


def test_no_preview_of_any_size(generator, golden):
    with pytest.raises(ValueError, match="no preview"):
        generator.preview(generator.styles(generator.broadcast(golden["w"])), 100)


@pytest.mark.parametrize("size", [512, 256])
def test_smaller_pictures_are_means_of_the_whole_one(generator, size):
    torch.manual_seed(14)
    with torch.inference_mode(), cuda_ops.using("cpu", "fp32"):
        styles = generator.styles(generator.broadcast(generator.mapping(torch.randn(1, 512))))
        small = generator.shrunk_rgb8(styles, size).float()
        whole = cuda_ops.rgb8(generator.resized(generator.synthesize(styles).clamp(-1, 1), size))
    assert small.shape == (1, size, size, 3)
    assert (small - whole.float()).abs().mean() < 0.02  # where pixels are clamped, means differ
