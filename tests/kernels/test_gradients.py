"""Gradients of the operators: the references in double precision, the kernels against them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import cuda_ops
from cuda_ops import Head, MobileBlock, SeparableConv, dispatch
from cuda_ops.backend import REFERENCE
from tests.helpers.threads import threads as threads_are

TOLERANCE = 1e-4  # of the largest gradient
ROUNDED = 0.1  # of their length: in bf16 some activations change sides, too

needs_kernels = pytest.mark.skipif(
    dispatch.state("cpu") != "ready", reason=f"no C++ kernels here: {dispatch.state('cpu')}"
)


def constants(inputs: int, outputs: int, height: int, width: int) -> SeparableConv:
    return SeparableConv(
        torch.randn(inputs, 3, 3, dtype=torch.float64) / 3,
        torch.randn(outputs, inputs, dtype=torch.float64) / inputs**0.5,
        torch.randn(height, width, dtype=torch.float64),
        torch.randn(outputs, dtype=torch.float64),
    )


def weights(conv: SeparableConv) -> list[torch.Tensor]:
    return [conv.depthwise, conv.pointwise, conv.noise, conv.bias]


def separable(x, style, *conv):
    return cuda_ops.separable_conv(x, style, SeparableConv(*conv))


def block(x, up, style1, style2, *convs):
    first, second = SeparableConv(*convs[:4]), SeparableConv(*convs[4:])
    return cuda_ops.mobile_block(x, up, style1, style2, MobileBlock(first, second))


def low(x, up, style1, style2, *convs):
    first, second = SeparableConv(*convs[:4]), SeparableConv(*convs[4:])
    return cuda_ops.mobile_block(x, up, style1, style2, MobileBlock(first, second, low=True))


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def separable_case(frames, inputs, outputs, height, width):
    conv = weights(constants(inputs, outputs, height, width))
    return separable, [random(frames, inputs, height, width), random(frames, inputs), *conv]


def block_case(frames, inputs, outputs, height, width, run=block):
    scale = 2 if run is block else 1
    convs = [
        *weights(constants(inputs, outputs, scale * height, scale * width)),
        *weights(constants(outputs, outputs, scale * height, scale * width)),
    ]
    x, up = random(frames, 4 * inputs, height, width), random(frames, 4 * inputs)
    return run, [x, up, random(frames, inputs), random(frames, outputs), *convs]


def colours_or_bands(x, style, weight, bias):
    return cuda_ops.to_image(x, style, Head(weight, bias))


def head_case(rows):
    arguments = [random(2, 5, 4, 6), random(2, 5), random(rows, 5), random(rows)]
    return colours_or_bands, arguments


CASES = {
    "separable": lambda: separable_case(2, 3, 4, 5, 6),
    "block": lambda: block_case(2, 2, 3, 2, 3),
    "low block": lambda: block_case(2, 2, 3, 4, 3, low),
    "colours": lambda: head_case(3),
    "bands": lambda: head_case(12),
}


@pytest.mark.parametrize("case", CASES)
def test_gradcheck_in_double_precision(case):
    torch.manual_seed(1)
    call, arguments = CASES[case]()
    inputs = [a.requires_grad_(True) for a in arguments]
    assert torch.autograd.gradcheck(call, inputs, fast_mode=False)


def gradients(call, arguments, dtype, kernel, arithmetic="fp32"):
    inputs = [a.to(dtype).clone().requires_grad_(True) for a in arguments]
    with cuda_ops.using(kernel, arithmetic):
        result = call(*inputs)
        torch.manual_seed(99)
        result.backward(torch.randn(result.shape, dtype=torch.float64).to(dtype))
    return result.grad_fn, [i.grad for i in inputs]


SHAPES = [
    (1, 3, 4, 2, 2),
    (2, 12, 7, 10, 6),
    (1, 5, 30, 34, 70),
    (3, 33, 13, 4, 33),
    (1, 1, 1, 64, 16),
]


@needs_kernels
@pytest.mark.parametrize("make", [separable_case, block_case, lambda *s: block_case(*s, low)])
@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_have_the_references_gradients(make, shape):
    torch.manual_seed(2)
    call, arguments = make(*shape)
    function, got = gradients(call, arguments, torch.float32, "cpu")
    assert "_Separable" in type(function).__name__
    _, wanted = gradients(call, arguments, torch.float64, "reference")
    for one, other in zip(got, wanted, strict=True):
        assert (one - other).abs().max() <= TOLERANCE * other.abs().max()


@needs_kernels
@pytest.mark.skipif(not dispatch.has_bf16(), reason="no bf16 here")
@pytest.mark.parametrize("make", [separable_case, block_case, lambda *s: block_case(*s, low)])
@pytest.mark.parametrize("shape", [*SHAPES, (2, 40, 70, 18, 50)])
def test_gradients_in_bf16(make, shape):
    torch.manual_seed(2)
    call, arguments = make(*shape)
    with cuda_ops.roughly():
        _, got = gradients(call, arguments, torch.float32, "cpu", "auto")
    _, exact = gradients(call, arguments, torch.float32, "cpu")
    _, wanted = gradients(call, arguments, torch.float64, "reference")
    assert any(not torch.equal(one, other) for one, other in zip(got, exact, strict=True))
    for one, other in zip(got, wanted, strict=True):
        assert (one - other).norm() <= ROUNDED * other.norm()


def network_case(lows: int, height: int, width: int):
    """Return x, styles, blocks and head of two blocks, the second of which may be a low one."""
    first = MobileBlock(
        constants(4, 12, 2 * height, 2 * width), constants(12, 12, 2 * height, 2 * width)
    )
    scale = 2 if lows else 4
    size = scale * height, scale * width
    second = MobileBlock(constants(3, 5, *size), constants(5, 5, *size), low=bool(lows))
    head = Head(random(3 if lows else 12, 5), random(3 if lows else 12))
    sizes = (16, 4, 12, 12, 3, 5, 5)
    styles = [random(2, n) for n in sizes]
    return random(2, 16, height, width), styles, [first, second], head


def as_(dtype, value):
    """Return a tensor, or constants of tensors, in another type."""
    if isinstance(value, torch.Tensor):
        return value.to(dtype)
    fields = {k: as_(dtype, v) for k, v in vars(value).items() if k != "low"}
    return type(value)(**fields, **({"low": value.low} if hasattr(value, "low") else {}))


def network_gradients(case, dtype, network):
    """Return the gradients to x and to all styles."""
    x, styles, blocks, head = case
    free = [s.to(dtype).clone().requires_grad_(True) for s in (x, *styles)]
    made = network(free[0], free[1:], [as_(dtype, b) for b in blocks], as_(dtype, head))
    made.square().sum().backward()
    return [s.grad for s in free]


@needs_kernels
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", [(4, 4), (9, 18), (40, 3)])
@pytest.mark.parametrize("lows", [0, 1])
def test_network(lows, size, threads):
    torch.manual_seed(3)
    case = network_case(lows, *size)
    with threads_are(threads), cuda_ops.using("cpu"):
        got = network_gradients(case, torch.float32, cuda_ops.mobile_network)
    wanted = network_gradients(case, torch.float64, REFERENCE.mobile_network)
    for one, other in zip(got, wanted, strict=True):
        assert (one - other).abs().max() <= TOLERANCE * other.abs().max()


@needs_kernels
@pytest.mark.skipif(not dispatch.has_bf16(), reason="no bf16 here")
@pytest.mark.parametrize("size", [(4, 4), (9, 18)])
@pytest.mark.parametrize("lows", [0, 1])
def test_network_in_bf16(lows, size):
    torch.manual_seed(3)
    case = network_case(lows, *size)
    with cuda_ops.using("cpu", "bf16"):
        got = network_gradients(case, torch.float32, cuda_ops.mobile_network)
    wanted = network_gradients(case, torch.float64, REFERENCE.mobile_network)
    for one, other in zip(got, wanted, strict=True):
        assert (one - other).norm() <= ROUNDED * other.norm()


@needs_kernels
def test_a_network_passes_gradients_to_its_weights_too():
    torch.manual_seed(6)
    x, styles, (first, second), head = network_case(0, 4, 4)
    found = []
    for network, dtype in (
        (cuda_ops.mobile_network, torch.float32),
        (REFERENCE.mobile_network, torch.float64),
    ):
        weight = first.conv1.pointwise.to(dtype).clone().requires_grad_(True)
        own = as_(dtype, first)
        blocks = [replace(own, conv1=replace(own.conv1, pointwise=weight)), as_(dtype, second)]
        with cuda_ops.using("cpu"):
            made = network(x.to(dtype), [s.to(dtype) for s in styles], blocks, as_(dtype, head))
        made.square().sum().backward()
        found.append(weight.grad)
    assert (found[0] - found[1]).abs().max() <= TOLERANCE * found[1].abs().max()


@needs_kernels
def test_a_second_derivative_is_refused_not_wrong():
    torch.manual_seed(4)
    call, arguments = separable_case(1, 2, 2, 4, 4)
    inputs = [a.float().requires_grad_(True) for a in arguments]
    with cuda_ops.using("cpu"):
        result = call(*inputs).sum()
    (gradient,) = torch.autograd.grad(result, inputs[:1], create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


def test_forward_mode_and_transforms_run_on_the_reference():
    torch.manual_seed(5)
    x, style = torch.randn(1, 3, 4, 4), torch.randn(1, 3)
    conv = SeparableConv(*(w.float() for w in weights(constants(3, 2, 4, 4))))
    direction = torch.randn_like(style)

    def run(s):
        return REFERENCE.separable_conv(x, s, conv)

    def kernels(s):
        return cuda_ops.separable_conv(x, s, conv)

    wanted = torch.func.jvp(run, (style,), (direction,))[1]
    got = torch.func.jvp(kernels, (style,), (direction,))[1]
    assert torch.allclose(got, wanted, atol=1e-5)
    jacobian = torch.func.vmap(torch.func.grad(lambda s: kernels(s[None]).sum()))(style)
    assert torch.isfinite(jacobian).all()
