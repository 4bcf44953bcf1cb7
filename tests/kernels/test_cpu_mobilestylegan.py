"""MobileStyleGAN's operators in C++ against their plain torch references."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import cuda_ops
from cuda_ops import Head, MobileBlock, dispatch
from cuda_ops.backend import REFERENCE
from cuda_ops.cpu import abi, library
from tests.helpers.networks import SHAPES, assert_close, separable, small_network
from tests.helpers.threads import threads

pytestmark = pytest.mark.skipif(
    dispatch.state("cpu") != "ready", reason=f"no C++ kernels here: {dispatch.state('cpu')}"
)


@pytest.fixture(autouse=True)
def kernels():
    """The C++ kernels, and what was chosen before put back."""
    with cuda_ops.using("cpu", "fp32"):
        yield


def test_structures_are_those_of_the_headers():
    for which, job in enumerate(abi.LAUNCHERS):
        assert ctypes.sizeof(job) == library.library().facecodec_size(which), job


@pytest.mark.parametrize("shape", SHAPES)
def test_separable_convolution(shape):
    torch.manual_seed(1)
    frames, inputs, outputs, height, width = shape
    x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
    conv = separable(inputs, outputs, height, width)
    assert_close(cuda_ops.separable_conv(x, style, conv), REFERENCE.separable_conv(x, style, conv))


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_block(shape, low):
    torch.manual_seed(2)
    frames, inputs, outputs, height, width = shape
    half = (height, width) if low else (height // 2, width // 2)
    x, up = torch.randn(frames, 4 * inputs, *half), torch.randn(frames, 4 * inputs)
    style1, style2 = torch.randn(frames, inputs), torch.randn(frames, outputs)
    convs = separable(inputs, outputs, height, width), separable(outputs, outputs, height, width)
    block = MobileBlock(*convs, low=low)
    got, wanted = (
        room.mobile_block(x, up, style1, style2, block) for room in (cuda_ops, REFERENCE)
    )
    assert_close(got, wanted)


@pytest.mark.parametrize("rows", [3, 12])
@pytest.mark.parametrize("shape", SHAPES)
def test_head(shape, rows):
    torch.manual_seed(3)
    frames, inputs, _, height, width = shape
    x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
    head = Head(torch.randn(rows, inputs), torch.randn(rows))
    got = cuda_ops.to_image(x, style, head)
    assert_close(got, REFERENCE.to_image(x, style, head))


@pytest.mark.parametrize("lows", [0, 1, 2])
@pytest.mark.parametrize("frames", [1, 2, 11])
def test_network(frames, lows):
    torch.manual_seed(4)
    network = small_network(frames, lows)
    assert_close(cuda_ops.mobile_network(*network), REFERENCE.mobile_network(*network))


def test_bytes_are_the_rounded_picture():
    torch.manual_seed(5)
    network = small_network(3)
    network[-1].weight.mul_(30)
    got = cuda_ops.mobile_network_rgb8(*network).int()
    exact = cuda_ops.mobile_network(*network).double().permute(0, 2, 3, 1) * 127.5 + 127.5
    assert ((got - exact.clamp(0, 255)).abs() <= 0.5 + 1e-3).all()
    assert (got == 0).any() and (got == 255).any()


def test_frames_in_groups_equal_frames_alone(monkeypatch):
    from cuda_ops.cpu import mobile

    torch.manual_seed(6)
    x, styles, blocks, head = small_network(7)
    together = cuda_ops.mobile_network(x, styles, blocks, head)
    monkeypatch.setattr(mobile, "GROUP_FLOATS", 1)
    assert torch.equal(cuda_ops.mobile_network(x, styles, blocks, head), together)
    alone = [
        cuda_ops.mobile_network(x[i : i + 1], [s[i : i + 1] for s in styles], blocks, head)
        for i in range(7)
    ]
    assert_close(torch.cat(alone), together)


def test_views_that_are_not_contiguous():
    torch.manual_seed(7)
    x = torch.randn(2, 24, 8, 16).transpose(2, 3)
    style, conv = torch.randn(6, 4).T[:2, :4], separable(4, 6, 16, 8)
    style = torch.randn(4, 2).T
    got = cuda_ops.separable_conv(x[:, ::6], style, conv)
    assert_close(got, REFERENCE.separable_conv(x[:, ::6], style, conv))


def test_weights_changed_in_place_are_seen():
    torch.manual_seed(8)
    x, style, conv = torch.randn(1, 6, 8, 8), torch.randn(1, 6), separable(6, 8, 8, 8)
    before = cuda_ops.separable_conv(x, style, conv)
    conv.pointwise.mul_(2)
    after = cuda_ops.separable_conv(x, style, conv)
    assert not torch.allclose(before, after)
    assert_close(after, REFERENCE.separable_conv(x, style, conv))


def test_one_thread_and_many_agree():
    torch.manual_seed(9)
    network, results = small_network(2), []
    for count in (1, 2, 5):
        with threads(count):
            results.append(cuda_ops.mobile_network(*network))
    for other in results[1:]:
        assert_close(other, results[0])


def test_whole_frames_within_one_grey_level(generator):
    torch.manual_seed(10)
    with torch.inference_mode():
        styles = generator.styles(generator.broadcast(generator.mapping(torch.randn(1, 512))))
        got = generator.synthesize_rgb8(styles).int()
        cuda_ops.use("reference")
        wanted = generator.synthesize_rgb8(styles).int()
    assert got.shape == (1, 1024, 1024, 3)
    assert (got - wanted).abs().max() <= 1
    assert (got != wanted).float().mean() < 1e-3


@pytest.mark.parametrize("size", [64, 128, 256])
def test_previews(generator, size):
    torch.manual_seed(11)
    with torch.inference_mode():
        w = generator.mapping(torch.randn(2, 512))
        styles = generator.styles(generator.broadcast(w))
        got = generator.preview(styles, size)
        cuda_ops.use("reference")
        assert_close(got, generator.preview(styles, size))


@pytest.mark.skipif(not dispatch.has_bf16(), reason="this processor has no bf16 products")
class TestBf16:
    """The same operators with products in bf16, which keep 8 bits of every factor."""

    TOLERANCE = 0.02

    @pytest.fixture(autouse=True)
    def products(self, kernels):
        cuda_ops.use_arithmetic("bf16")

    @pytest.mark.parametrize("shape", SHAPES)
    def test_separable_convolution(self, shape):
        torch.manual_seed(1)
        frames, inputs, outputs, height, width = shape
        x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
        conv = separable(inputs, outputs, height, width)
        got = cuda_ops.separable_conv(x, style, conv)
        wanted = REFERENCE.separable_conv(x, style, conv)
        assert not torch.equal(got, wanted)
        assert (got - wanted).abs().max() <= self.TOLERANCE * wanted.abs().max()

    def test_dot_products_equal_tiles(self, monkeypatch):
        if library.products16() != library.Products16.TILES:
            pytest.skip("no tiles here")
        torch.manual_seed(2)
        results = []
        for products in (library.Products16.TILES, library.Products16.DOTS):
            torch.manual_seed(2)
            x, style = torch.randn(2, 37, 10, 70), torch.randn(2, 37)
            conv = separable(37, 45, 10, 70)
            monkeypatch.setattr(library, "products16", lambda products=products: products)
            results.append(cuda_ops.separable_conv(x, style, conv))
        assert_close(results[1], results[0])

    def test_whole_frames(self, generator):
        torch.manual_seed(10)
        with torch.inference_mode():
            styles = generator.styles(generator.broadcast(generator.mapping(torch.randn(1, 512))))
            got = generator.synthesize_rgb8(styles).float()
            cuda_ops.use("reference")
            error = (got - generator.synthesize_rgb8(styles)).square().mean()
        assert 10 * torch.log10(255**2 / error) >= 45


def test_only_bytes_are_reduced_unasked():
    torch.manual_seed(12)
    network = small_network(1)
    with cuda_ops.using("cpu", "auto"):
        assert_close(cuda_ops.mobile_network(*network), REFERENCE.mobile_network(*network))
        assert library.in_bf16(seen=True) == dispatch.has_bf16()
    assert not library.in_bf16(seen=True)


@pytest.mark.skipif(not dispatch.has_bf16(), reason="this processor has no bf16 products")
def test_rough_pictures_are_near_the_exact_ones():
    torch.manual_seed(12)
    network = small_network(1)
    with cuda_ops.using("cpu", "auto"), cuda_ops.roughly():
        rough = cuda_ops.mobile_network(*network)
    with cuda_ops.using("cpu", "fp32"), cuda_ops.roughly():
        assert_close(cuda_ops.mobile_network(*network), REFERENCE.mobile_network(*network))
    exact = REFERENCE.mobile_network(*network)
    assert 0 < float((rough - exact).abs().max()) < 0.05 * float(exact.abs().max())
    assert not library.in_bf16()


@pytest.mark.skipif(not dispatch.has_bf16(), reason="this processor has no bf16 products")
def test_roughly_is_of_one_thread_alone():
    """A fit beside a decode leaves the decode's arithmetic as it is, however the two interleave."""
    with ThreadPoolExecutor(1) as other:
        with cuda_ops.using("cpu", "auto"), cuda_ops.roughly():
            assert library.in_bf16()
            assert not other.submit(library.in_bf16).result()
            with cuda_ops.roughly():
                pass
            assert library.in_bf16()
        assert not library.in_bf16()


def test_previews_follow_weights_changed_in_place(generator):
    torch.manual_seed(13)
    with torch.no_grad():
        styles = generator.styles(generator.broadcast(generator.mapping(torch.randn(1, 512))))
        before = generator.preview(styles, 64)
        depthwise = generator._tensor("6.conv1.depthwise")
        depthwise.mul_(2)
        try:
            doubled = generator.preview(styles, 64)
        finally:
            depthwise.div_(2)
        after = generator.preview(styles, 64)
    assert not torch.allclose(before, doubled)
    assert torch.equal(before, after)
