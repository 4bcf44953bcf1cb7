"""StyleGAN2's operators in C++ against their plain torch references."""

from __future__ import annotations

import math

import pytest
import torch

import cuda_ops
from cuda_ops import ModulatedConv, dispatch
from cuda_ops.backend import REFERENCE
from cuda_ops.cpu import library
from cuda_ops.cpu import modulated as kernels
from facecodec.workshop.bench_operators import random_stylegan2
from tests.helpers.networks import assert_close
from tests.helpers.threads import threads

pytestmark = pytest.mark.skipif(
    dispatch.state("cpu") != "ready", reason=f"no C++ kernels here: {dispatch.state('cpu')}"
)

# frames, channels in, channels out, height, width: those of the network, and odd ones
SHAPES = [
    (1, 512, 512, 4, 4), (1, 512, 512, 8, 8), (1, 512, 256, 16, 16), (2, 64, 32, 64, 32),
    (1, 32, 32, 33, 130), (3, 1, 1, 2, 2), (1, 3, 5, 9, 11), (2, 17, 40, 10, 34), (1, 9, 7, 1, 70),
    (2, 24, 8, 13, 8), (2, 5, 9, 71, 66), (1, 512, 512, 21, 20),
]  # fmt: skip


@pytest.fixture(autouse=True)
def chosen():
    with cuda_ops.using("cpu", "fp32"):
        yield


def constants(inputs, outputs, height, width, up, noise=True, clamp=None) -> ModulatedConv:
    scale = 2 if up else 1
    weight = torch.randn(outputs, inputs, 3, 3)
    squares, bias = weight.square().sum((2, 3)), torch.randn(outputs)
    noise_ = torch.randn(scale * height, scale * width) if noise else None
    return ModulatedConv(weight, squares, bias, noise_, up, clamp)


def both_ways(shape, up) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a convolution of random numbers by the kernels and by plain torch."""
    torch.manual_seed(1)
    frames, inputs, outputs, height, width = shape
    x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
    conv = constants(inputs, outputs, height, width, up)
    return cuda_ops.modulated_conv(x, style, conv), REFERENCE.modulated_conv(x, style, conv)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_modulated_convolution(shape, up):
    assert_close(*both_ways(shape, up))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("side", [4, 16])
def test_without_noise_and_clamped(side, up):
    torch.manual_seed(2)
    x, style = torch.randn(2, 16, side, side), torch.randn(2, 16)
    conv = constants(16, 24, side, side, up, noise=False, clamp=0.7)
    got = cuda_ops.modulated_conv(x, style, conv)
    assert_close(got, REFERENCE.modulated_conv(x, style, conv))
    assert got.abs().max() == pytest.approx(0.7)


@pytest.mark.parametrize("clamp", [None, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_picture(shape, clamp):
    torch.manual_seed(3)
    frames, inputs, _, height, width = shape
    x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
    weight, bias = torch.randn(3, inputs), torch.randn(3)
    arguments = x, style, weight, bias, clamp
    assert_close(cuda_ops.modulated_rgb(*arguments), REFERENCE.modulated_rgb(*arguments))
    if height % 2 == width % 2 == 0:
        coarse = torch.randn(frames, 3, height // 2, width // 2)
        got = cuda_ops.modulated_rgb(*arguments, coarse)
        assert_close(got, REFERENCE.modulated_rgb(*arguments, coarse))


@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize("down", [1, 2, 3])
@pytest.mark.parametrize("pad", [(0, 0), (2, 1), (-1, 3), (5, -2)])
def test_upfirdn2d(up, down, pad):
    torch.manual_seed(4)
    x, taps = torch.randn(2, 3, 9, 14), torch.randn(5).tolist()
    got = cuda_ops.upfirdn2d(x, taps, up, down, pad)
    assert_close(got, REFERENCE.upfirdn2d(x, taps, up, down, pad))
    assert_close(cuda_ops.double(x), REFERENCE.double(x))


@pytest.mark.parametrize("clamp", [None, 0.5])
@pytest.mark.parametrize("whole", [False, True])
def test_bias_act(whole, clamp):
    torch.manual_seed(5)
    x, bias = torch.randn(2, 5, 7, 9), torch.randn(5)
    more = (torch.randn(7, 9), torch.randn(2, 5)) if whole else (None, None)
    assert_close(
        cuda_ops.bias_act(x, bias, *more, clamp), REFERENCE.bias_act(x, bias, *more, clamp)
    )


def assert_threads_agree(shape, up) -> None:
    torch.manual_seed(6)
    frames, inputs, outputs, height, width = shape
    x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
    conv, results = constants(inputs, outputs, height, width, up), []
    for count in (1, 2, 5):
        with threads(count):
            results.append(cuda_ops.modulated_conv(x, style, conv))
    for other in results[1:]:
        assert_close(other, results[0])


@pytest.mark.parametrize("shape", [(2, 32, 16, 20, 20), (2, 3, 8, 120, 9), (1, 512, 512, 10, 9)])
@pytest.mark.parametrize("up", [False, True])
def test_one_thread_and_many_agree(shape, up):
    assert_threads_agree(shape, up)


def test_weights_changed_in_place_are_seen():
    torch.manual_seed(7)
    x, style, conv = torch.randn(1, 8, 8, 8), torch.randn(1, 8), constants(8, 8, 8, 8, False)
    cuda_ops.modulated_conv(x, style, conv)
    conv.weight.mul_(torch.randn_like(conv.weight))
    got = cuda_ops.modulated_conv(x, style, conv)
    assert_close(got, REFERENCE.modulated_conv(x, style, conv))


def test_gradients_run_on_the_reference():
    torch.manual_seed(8)
    x, style = torch.randn(1, 8, 8, 8), torch.randn(1, 8, requires_grad=True)
    conv = constants(8, 8, 8, 8, True)
    cuda_ops.modulated_conv(x, style, conv).square().sum().backward()
    got, style.grad = style.grad, None
    REFERENCE.modulated_conv(x, style, conv).square().sum().backward()
    assert torch.equal(got, style.grad)


SMALL_ENOUGH = [s for s in SHAPES if s[3] * s[4] >= kernels.SMALLEST and s[1] * s[2] < 1 << 17]


class TestTiles:
    """AMX tiles, of the processor or in plain C++ of the same meaning."""

    @pytest.fixture(autouse=True)
    def tiles(self, chosen, monkeypatch):
        monkeypatch.setattr(library, "products16", lambda: library.Products16.TILES)
        monkeypatch.setattr(library, "in_bf16", lambda seen=False: True)
        self.packed = []
        once = kernels.once
        seen = lambda weight, make: self.packed.append(make) or once(weight, make)  # noqa: E731
        monkeypatch.setattr(kernels, "once", seen)

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("shape", SMALL_ENOUGH)
    def test_modulated_convolution(self, shape, up):
        got, wanted = both_ways(shape, up)
        assert self.packed == [kernels.DIRECT[up][1]]
        assert (got - wanted).abs().max() <= TestBf16.TOLERANCE * wanted.abs().max()

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("shape", SMALL_ENOUGH)
    def test_nothing_but_factors_is_rounded(self, shape, up):
        """Weights, styled pixels of few bits: bf16 holds them, and the sums are float32's."""
        torch.manual_seed(2)
        frames, inputs, outputs, height, width = shape
        x = torch.randint(-8, 9, (frames, inputs, height, width)).float()
        style, conv = torch.ones(frames, inputs), constants(inputs, outputs, height, width, up)
        conv.weight.copy_(torch.randint(-8, 9, conv.weight.shape))
        conv.squares.copy_(conv.weight.square().sum((2, 3)))
        got, wanted = (
            cuda_ops.modulated_conv(x, style, conv),
            REFERENCE.modulated_conv(x, style, conv),
        )
        assert_close(got, wanted)

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize(
        "shape", [(2, 32, 16, 20, 20), (1, 160, 70, 10, 9), (1, 8, 40, 70, 33)]
    )
    def test_one_thread_and_many_agree(self, shape, up):
        assert_threads_agree(shape, up)


@pytest.mark.skipif(not dispatch.has_bf16(), reason="this processor has no bf16 products")
class TestBf16:
    """Products in bf16: 8 bits of every factor, of which the transforms cost some."""

    TOLERANCE = 0.02

    @pytest.fixture(autouse=True)
    def products(self, chosen):
        cuda_ops.use_arithmetic("bf16")

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("shape", [s for s in SHAPES if s[3] * s[4] >= kernels.SMALLEST])
    def test_modulated_convolution(self, shape, up):
        got, wanted = both_ways(shape, up)
        assert not torch.equal(got, wanted)
        assert (got - wanted).abs().max() <= self.TOLERANCE * wanted.abs().max()

    def test_whole_frames(self):
        """Four standard deviations stand for the range: random weights know no white."""
        network = random_stylegan2(256)
        torch.manual_seed(2)
        with torch.inference_mode():
            w_plus = network.mapping(torch.randn(2, 512))[:, None].expand(-1, network.num_ws, -1)
            styles = network.styles(w_plus)
            got = network.synthesize(styles)
            cuda_ops.use("reference")
            wanted = network.synthesize(styles)
        error = (got - wanted).square().mean().sqrt()
        assert 20 * torch.log10(4 * wanted.std() / error) >= 45


@pytest.mark.skipif(not dispatch.has_bf16(), reason="this processor has no bf16 products")
def test_only_bytes_are_reduced_unasked():
    network = random_stylegan2(64)
    torch.manual_seed(3)
    with torch.inference_mode():
        styles = network.styles(network.w_mean.expand(1, network.num_ws, -1))
        exact = {}
        for arithmetic in ("fp32", "bf16", "auto"):
            with cuda_ops.using("cpu", arithmetic):
                exact[arithmetic] = network.synthesize(styles), network.synthesize_rgb8(styles)
    assert torch.equal(exact["auto"][0], exact["fp32"][0])
    assert torch.equal(exact["auto"][1], exact["bf16"][1])
    assert not torch.equal(exact["auto"][1], exact["fp32"][1])


def test_products_are_fewer_and_exact():
    """The transforms' rows make a convolution of three taps, whatever the numbers."""
    weight = torch.randn(2, 3, 3, 3)
    for packed, points, kinds in (
        (kernels.same_products(weight), kernels.POINTS, 36),
        (kernels.same6_products(weight), kernels.POINTS6, 64),
    ):
        assert packed.shape[1:3] == (kinds, 3 + -3 % kernels.lanes())
        corner = packed[0, 0, :3, :2].T
        torch.testing.assert_close(corner, weight[:, :, 0, 0] / math.prod(points) ** 4)
    assert kernels.up_products(weight).shape[1] == 25


def test_larger_tiles_only_in_floats_and_for_large_maps(monkeypatch):
    """Their weights are many, and their rounding is more than bf16 can bear."""
    packed = []
    monkeypatch.setattr(kernels, "once", lambda weight, make: packed.append(make) or make(weight))
    for side, up in ((64, False), (63, False), (64, True)):
        conv = constants(8, 8, side, side, up)
        cuda_ops.modulated_conv(torch.randn(1, 8, side, side), torch.randn(1, 8), conv)
    wanted = [kernels.same6_products, kernels.same_products, kernels.up_products]
    assert packed == wanted
