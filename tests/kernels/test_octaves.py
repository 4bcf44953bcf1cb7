"""Octaves of pictures in C++ against their plain torch references, gradients included."""

from __future__ import annotations

import pytest
import torch

import cuda_ops
from cuda_ops import dispatch
from cuda_ops.backend import REFERENCE
from tests.helpers.threads import threads as threads_are

pytestmark = pytest.mark.skipif(
    dispatch.state("cpu") != "ready", reason=f"no C++ kernels here: {dispatch.state('cpu')}"
)


def found(room, pictures, smaller):
    """Return both operators' results and the gradients to their inputs."""
    inputs = [t.clone().requires_grad_(True) for t in (pictures, smaller)]
    half, rest = room.halved(inputs[0]), room.finer(*inputs)
    torch.manual_seed(9)
    loss = (half * torch.randn_like(half)).sum() + (rest * torch.randn_like(rest)).sum()
    loss.backward()
    return half.detach(), rest.detach(), *(t.grad for t in inputs)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(1, 3, 2, 2), (2, 1, 6, 70), (1, 3, 64, 64), (3, 2, 38, 4)])
def test_kernels_are_as_the_reference(shape, threads):
    torch.manual_seed(1)
    frames, channels, height, width = shape
    pictures = torch.randn(shape)
    smaller = torch.randn(frames, channels, height // 2, width // 2)
    with threads_are(threads), cuda_ops.using("cpu"):
        got = found(cuda_ops, pictures, smaller)
    for one, other in zip(got, found(REFERENCE, pictures, smaller), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_side_that_has_no_half_takes_the_reference():
    pictures = torch.randn(1, 1, 5, 6)
    with cuda_ops.using("cpu"):
        half = cuda_ops.halved(pictures)
        assert torch.equal(half, REFERENCE.halved(pictures))
        rest = cuda_ops.finer(pictures, half)
        assert torch.equal(rest, REFERENCE.finer(pictures, half))
