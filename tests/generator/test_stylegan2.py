"""StyleGAN2 against pictures of the original implementations, and its parts against definitions.

The expected values come from `tests/vectors/make_stylegan2.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import cuda_ops
from facecodec.errors import ModelError
from facecodec.generator.stylegan2 import StyleGAN2
from facecodec.generator.stylegan2_layout import Layout, read_layout
from tests.helpers.checkpoints import SMALL, random_tensors

VECTORS = Path(__file__).parent.parent / "vectors" / "stylegan2.npz"
LAYOUTS = {
    "ada": SMALL,
    "stylegan3": Layout(SMALL.channels, SMALL.mapping_layers, noise=True, clamp=True),
    "rosinality": Layout((512, 512, 512), mapping_layers=8, noise=True, clamp=False),
}
F_1024 = Layout((512, 512, 512, 512, 512, 256, 128, 64, 32), 8, noise=True, clamp=False)


def build(layout: Layout) -> StyleGAN2:
    network = StyleGAN2.from_tensors(random_tensors(layout), "random", "0" * 64)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def vectors() -> dict[str, torch.Tensor]:
    with np.load(VECTORS) as file:
        return {key: torch.tensor(value) for key, value in file.items()}


@pytest.fixture(scope="module")
def small() -> StyleGAN2:
    return build(SMALL)


def inputs(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    noise = np.random.Generator(np.random.PCG64(1))
    z, moved = noise.standard_normal((2, 512)), noise.standard_normal((2, rows, 512))
    return torch.tensor(z, dtype=torch.float32), torch.tensor(0.1 * moved, dtype=torch.float32)


def assert_equal_pictures(actual: torch.Tensor, expected: torch.Tensor) -> None:
    reach = float(expected.max() - expected.min())
    assert float((actual - expected).abs().max()) < 1e-4 * reach


@pytest.mark.parametrize("origin", LAYOUTS)
def test_equals_the_original(origin, vectors):
    network = build(LAYOUTS[origin])
    z, moved = inputs(network.num_ws)
    w = network.mapping(z)
    torch.testing.assert_close(w, vectors[f"{origin}.w"], atol=1e-5, rtol=0)
    styles = network.styles(network.broadcast(w) + moved)
    if f"{origin}.styles" in vectors:
        torch.testing.assert_close(styles, vectors[f"{origin}.styles"], atol=1e-5, rtol=0)
    expected = vectors[f"{origin}.picture"]
    assert_equal_pictures(network.synthesize(styles[: len(expected)]), expected)


def test_noise_can_be_turned_off(vectors, small):
    z, moved = inputs(small.num_ws)
    styles = small.styles(small.broadcast(small.mapping(z)) + moved)[:1]
    small.noise = False
    try:
        quiet = small.synthesize(styles)
    finally:
        small.noise = True
    assert_equal_pictures(quiet, vectors["ada.quiet"])
    assert float((quiet - small.synthesize(styles)).abs().max()) > 0.1


def test_a_network_without_noise():
    layout = Layout(SMALL.channels, 2, noise=False, clamp=False)
    with_noise = random_tensors(Layout(SMALL.channels, 2, noise=True, clamp=False))
    tensors = {name: with_noise[name] for name in layout.shapes()}
    silent = StyleGAN2.from_tensors(tensors, "silent", "0" * 64)
    loud = StyleGAN2.from_tensors(with_noise, "loud", "0" * 64)
    loud.noise = False
    styles = silent.styles(torch.randn(1, silent.num_ws, 512))
    torch.testing.assert_close(silent.synthesize(styles), loud.synthesize(styles))


def test_layers_are_numbered_as_in_stylespace():
    """Configuration f at 1024: 26 layers, 9088 channels, 18 rows, toRGB at 1, 4, 7, ... 25."""
    small = build(Layout((8,) * 8 + (4,), 1, noise=True, clamp=False))
    assert [layer.name for layer in small.layers] == [str(i) for i in range(26)]
    rows = [layer.ws_index for layer in small.layers]
    assert rows == [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9, 9, 10, 11, 11, 12, 13, 13, 14, 15,
                    15, 16, 17]  # fmt: skip
    sides = [layer.resolution for layer in small.layers]
    assert sides == [4, 4] + [8 << i // 3 for i in range(24)]
    assert sum(shape[0] for name, shape in F_1024.shapes().items() if "affine.bias" in name) == 9088
    assert F_1024.num_ws == small.num_ws == 18


def test_only_its_own_rows_move_a_style(small):
    rows = torch.zeros(1, small.num_ws, 512)
    still = small.styles(rows)
    for row in range(small.num_ws):
        moved = rows.clone()
        moved[:, row] = 1.0
        changed = (small.styles(moved) != still)[0]
        for layer in small.layers:
            part = changed[layer.offset : layer.offset + layer.size]
            assert bool(part.any()) == (layer.ws_index == row)


def test_frames_of_a_batch_do_not_meet(small):
    styles = small.styles(small.broadcast(small.mapping(inputs(1)[0])))
    alone = torch.cat([small.synthesize(one[None]) for one in styles])
    torch.testing.assert_close(small.synthesize(styles), alone, atol=1e-4, rtol=1e-4)


def test_preview_is_the_picture_of_the_coarse_blocks():
    network = build(Layout(SMALL.channels + (8,), 2, noise=True, clamp=False))
    styles = network.styles(torch.randn(1, network.num_ws, 512))
    small = network.preview(styles, 64)
    assert small.shape == (1, 3, 64, 64)
    finest = next(layer for layer in network.layers if layer.resolution == 128)
    moved = styles.clone()
    moved[:, finest.offset :] += 1.0
    assert torch.equal(network.preview(moved, 64), small)
    assert not torch.equal(network.synthesize(moved), network.synthesize(styles))
    assert torch.equal(network.preview(styles, 128), network.synthesize(styles))
    with pytest.raises(ValueError, match="no preview of size 32"):
        network.preview(styles, 32)


def test_a_preview_larger_than_the_network_is_enlarged(small):
    styles = small.styles(torch.randn(1, small.num_ws, 512))
    large = small.preview(styles, 256)
    assert large.shape == (1, 3, 256, 256)
    shrunk = torch.nn.functional.avg_pool2d(large, 4)
    picture = small.synthesize(styles)
    assert float((shrunk - picture).square().mean() / picture.var()) < 0.2


def test_gradients_reach_every_style(small):
    styles = small.styles(torch.randn(1, small.num_ws, 512)).requires_grad_(True)
    small.synthesize(styles).square().sum().backward()
    assert styles.grad is not None
    assert int((styles.grad == 0).sum()) == 0


def test_doubling_is_the_fir_filter():
    x = torch.randn(2, 3, 5, 7)
    taps = [2 * tap for tap in (0.125, 0.375, 0.375, 0.125)]
    expected = cuda_ops.upfirdn2d(x, taps, up=2, pad=(2, 1))
    torch.testing.assert_close(cuda_ops.double(x), expected)


def test_upfirdn2d_by_hand():
    x = torch.tensor([[[[1.0, 2.0]]]])
    y = cuda_ops.upfirdn2d(x, [1.0, 10.0], up=2, down=1, pad=(1, 0))
    # rows: 1 0, zero row; along x: 1 0 2 0 filtered by 1 + 10 z^-1, columns alike
    row = torch.tensor([1.0, 10.0, 2.0, 20.0])
    assert torch.equal(y[0, 0], torch.stack([row, 10 * row]))
    assert torch.equal(
        cuda_ops.upfirdn2d(x, [1.0, 10.0], up=2, down=2, pad=(1, 0))[0, 0], row[None, ::2]
    )


def test_modulated_conv_is_the_papers_equation():
    """Scaling activations equals scaling weights, equations 1 and 3 of arXiv 1912.04958."""
    x, style = torch.randn(2, 5, 6, 6), torch.randn(2, 5)
    weight, bias, noise = torch.randn(4, 5, 3, 3), torch.randn(4), torch.randn(6, 6)
    conv = cuda_ops.ModulatedConv(weight, weight.square().sum((2, 3)), bias, noise, up=False)
    batched = cuda_ops.modulated_conv(x, style, conv)
    for n in range(2):
        modulated = weight * style[n, None, :, None, None]
        modulated = modulated / (modulated.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        y = torch.nn.functional.conv2d(x[n : n + 1], modulated, padding=1)
        y = y + noise + bias[:, None, None]
        expected = torch.where(y < 0, 0.2 * y, y) * 2**0.5
        torch.testing.assert_close(batched[n : n + 1], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("synthesis.b8.conv0.weight", (64, 63, 3, 3), "b8.conv0.weight has shape"),
        ("synthesis.b64.torgb.bias", None, "b64.torgb.bias is missing"),
        ("synthesis.b8.skip.weight", (64, 64, 1, 1), "no place in a StyleGAN2"),
        ("mapping.embed.weight", (512, 10), "no place in a StyleGAN2"),
        ("synthesis.b8.conv1.weight", (1 << 40, 64, 3, 3), "no convolution's"),
        ("mapping.fc0.weight", None, "not a StyleGAN2"),
        ("mapping.w_avg", (256,), "w_avg has shape"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(name, shape, message):
    shapes = dict(SMALL.shapes())
    if shape is None:
        del shapes[name]
    else:
        shapes[name] = shape
    with pytest.raises(ModelError, match=message):
        read_layout(shapes)


def test_layout_is_read_back():
    for layout in (*LAYOUTS.values(), F_1024):
        assert read_layout(layout.shapes()) == layout
    too_large = Layout(F_1024.channels + (16,), 8, noise=True, clamp=False)
    with pytest.raises(ModelError, match="larger than 1024"):
        read_layout(too_large.shapes())
