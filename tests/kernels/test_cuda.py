"""The GPU's operators, their bodies compiled for the CPU, against their plain torch references."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import gpu_check
import pytest
import torch

import cuda_ops
from cuda_ops import Head, MobileBlock, ModulatedConv, build, dispatch
from cuda_ops.backend import REFERENCE
from cuda_ops.cpu.modulated import Tile
from cuda_ops.cpu.panels import Layout
from cuda_ops.cuda import library
from cuda_ops.cuda.backend import CudaBackend
from cuda_ops.operands import Picture
from tests.helpers.networks import SHAPES, assert_close, separable, small_network

ROOT = Path(__file__).resolve().parent.parent.parent


def host_state() -> str:
    try:
        library.library("cpu")
    except cuda_ops.KernelError as error:
        return str(error)
    return "ready"


ON_HOST = CudaBackend("cpu") if host_state() == "ready" else REFERENCE
needs_host = pytest.mark.skipif(host_state() != "ready", reason=host_state())
SMALL = [shape for shape in SHAPES if shape[1] * shape[2] * shape[3] * shape[4] < 1 << 25]


@needs_host
@pytest.mark.parametrize("shape", SMALL)
def test_separable_convolution(shape):
    torch.manual_seed(1)
    frames, inputs, outputs, height, width = shape
    x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
    conv = separable(inputs, outputs, height, width)
    got = ON_HOST.separable_conv(x, style, conv)
    assert_close(got, REFERENCE.separable_conv(x, style, conv))


@needs_host
@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("shape", SMALL)
def test_block(shape, low):
    torch.manual_seed(2)
    frames, inputs, outputs, height, width = shape
    half = (height, width) if low else (height // 2, width // 2)
    x, up = torch.randn(frames, 4 * inputs, *half), torch.randn(frames, 4 * inputs)
    style1, style2 = torch.randn(frames, inputs), torch.randn(frames, outputs)
    convs = separable(inputs, outputs, height, width), separable(outputs, outputs, height, width)
    block = MobileBlock(*convs, low=low)
    got, wanted = (room.mobile_block(x, up, style1, style2, block) for room in (ON_HOST, REFERENCE))
    assert_close(got, wanted)


@needs_host
@pytest.mark.parametrize("rows", [3, 12])
@pytest.mark.parametrize("shape", [(1, 64, 9, 33), (3, 130, 4, 6)])
def test_head(shape, rows):
    torch.manual_seed(3)
    frames, inputs, height, width = shape
    x, style = torch.randn(frames, inputs, height, width), torch.randn(frames, inputs)
    head = Head(torch.randn(rows, inputs), torch.randn(rows))
    got = ON_HOST.to_image(x, style, head)
    assert_close(got, REFERENCE.to_image(x, style, head))


@needs_host
@pytest.mark.parametrize("lows", [0, 1, 2])
def test_network(lows):
    torch.manual_seed(4)
    network = small_network(3, lows)
    assert_close(ON_HOST.mobile_network(*network), REFERENCE.mobile_network(*network))


@needs_host
@pytest.mark.parametrize("lows", [0, 1])
def test_bytes_are_the_rounded_picture(lows):
    torch.manual_seed(5)
    network = small_network(3, lows)
    network[-1].weight.mul_(30)
    got = ON_HOST.mobile_network_rgb8(*network).int()
    exact = ON_HOST.mobile_network(*network).double().permute(0, 2, 3, 1) * 127.5 + 127.5
    assert ((got - exact.clamp(0, 255)).abs() <= 0.5 + 1e-3).all()
    assert (got == 0).any() and (got == 255).any()


@needs_host
@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize("down", [1, 2, 3])
@pytest.mark.parametrize("pad", [(0, 0), (2, 1), (-1, 3), (5, -2)])
def test_upfirdn2d(up, down, pad):
    torch.manual_seed(6)
    x, taps = torch.randn(2, 3, 9, 14), torch.randn(5).tolist()
    got = ON_HOST.upfirdn2d(x, taps, up, down, pad)
    assert_close(got, REFERENCE.upfirdn2d(x, taps, up, down, pad))


@needs_host
@pytest.mark.parametrize("clamp", [None, 0.5])
@pytest.mark.parametrize("whole", [False, True])
def test_bias_act(whole, clamp):
    torch.manual_seed(7)
    x, bias = torch.randn(2, 5, 7, 9), torch.randn(5)
    more = (torch.randn(7, 9), torch.randn(2, 5)) if whole else (None, None)
    assert_close(ON_HOST.bias_act(x, bias, *more, clamp), REFERENCE.bias_act(x, bias, *more, clamp))


@needs_host
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_modulated_convolution_and_picture(up, clamp):
    torch.manual_seed(8)
    x, style, weight = torch.randn(2, 6, 8, 12), torch.randn(2, 6), torch.randn(10, 6, 3, 3)
    noise = torch.randn((16, 24) if up else (8, 12))
    conv = ModulatedConv(weight, weight.square().sum((2, 3)), torch.randn(10), noise, up, clamp)
    got = ON_HOST.modulated_conv(x, style, conv)
    assert_close(got, REFERENCE.modulated_conv(x, style, conv))
    rgb = torch.randn(2, 10), torch.randn(3, 10), torch.randn(3), clamp
    coarse = torch.randn(2, 3, got.shape[2] // 2, got.shape[3] // 2)
    for skip in (None, coarse):
        picture = ON_HOST.modulated_rgb(got, *rgb, skip)
        assert_close(picture, REFERENCE.modulated_rgb(got, *rgb, skip))


@needs_host
def test_views_and_frames_that_lie_apart():
    torch.manual_seed(9)
    conv = separable(4, 6, 16, 8)
    x, style = torch.randn(2, 24, 16, 8)[:, ::6], torch.randn(4, 2).T
    got = ON_HOST.separable_conv(x, style, conv)
    assert_close(got, REFERENCE.separable_conv(x, style, conv))


@needs_host
def test_structures_are_those_of_the_header():
    for which, job in enumerate(library.LAUNCHERS):
        assert ctypes.sizeof(job) == library.library("cpu").facecodec_size(which)


def test_kinds_have_the_numbers_of_the_headers():
    """An enumeration that Python and C++ share is one of the same names and numbers."""
    for header, name, prefix, kinds in (
        ("cuda/abi.h", r"\w*", "", Picture),
        ("cpu/abi.h", "FacecodecPicture", "", Picture),
        ("cpu/abi.h", "FacecodecLayout", "", Layout),
        ("cpu/stylegan2_abi.h", r"\w*", "TILES_", Tile),
    ):
        text = (build.SOURCES / header).read_text(encoding="utf-8")
        (body,) = re.findall(rf"enum {name}[^{{]*{{([^}}]*)}}", text)
        constants = dict(re.findall(rf"FACECODEC_{prefix}(\w+) = (\d+)", body))
        constants.pop("NO_PICTURE", None)
        wanted = {kind.name: str(int(kind)) for kind in kinds if kind is not Picture.NONE}
        assert constants == wanted, (header, name)


def test_graphs_on_the_cpu_call_the_function():
    double = cuda_ops.Graphed(lambda x: 2 * x)
    x = torch.randn(3)
    assert torch.equal(double(x), 2 * x)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_cuda_is_refused_in_one_line():
    assert "no CUDA device" in dispatch.state("cuda")
    with pytest.raises(cuda_ops.KernelError, match="no CUDA device"):
        cuda_ops.use("cuda")
    script = ROOT / "benchmarks" / "gpu_check.py"
    run = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1 and "no CUDA device" in run.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(library.recipe().compiler) is None, reason="no nvcc")
def test_nvcc_compiles_real_code_for_both_generations_and_ptx(tmp_path, monkeypatch):
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path))
    path = build.build(library.recipe())
    loaded = ctypes.CDLL(str(path))
    for name in library.LAUNCHERS.values():
        assert getattr(loaded, name)
    contents = path.read_bytes()
    assert b"-arch sm_80" in contents and b"-arch sm_90" in contents
    assert b".target sm_90" in contents


@needs_host
def test_the_check_of_a_gpu_tells_good_from_bad(monkeypatch):
    torch.manual_seed(11)
    cases = list(gpu_check.cases((16, 8), (8, 8, 4)))
    outcomes = [gpu_check.check(case, "cpu", 1) for case in cases]
    assert all(outcome.good for outcome in outcomes), gpu_check.table(outcomes)
    assert gpu_check.table(outcomes).count("good") == len(cases) == 12
    right = ON_HOST.upfirdn2d
    monkeypatch.setattr(CudaBackend, "upfirdn2d", lambda self, *a: 1.001 * right(*a))
    bad = gpu_check.check(cases[-1], "cpu", 1)
    assert not bad.good and "BAD" in gpu_check.table([bad])


def test_head_of_colours_to_bytes():
    """Both builds round what the picture is."""
    torch.manual_seed(10)
    x, styles, blocks, _ = small_network(1, 1)
    head = Head(torch.randn(3, 8) / 100, torch.randn(3) / 100)
    wanted = REFERENCE.mobile_network_rgb8(x, styles, blocks, head).int()
    got = cuda_ops.mobile_network_rgb8(x, styles, blocks, head).int()
    assert (got - wanted).abs().max() <= 1
