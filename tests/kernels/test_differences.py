"""Sizes of pictures and their differences in C++ against plain torch, gradients included."""

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


def found(room, pictures, targets, weights):
    """Return both operators' results, and the gradients of each to the pictures."""
    pictures = pictures.clone().requires_grad_(True)
    size, apart = room.mean_size(pictures), room.apart(pictures, targets, weights)
    torch.manual_seed(9)
    (of_size,) = torch.autograd.grad((size * torch.randn_like(size)).sum(), pictures)
    (of_apart,) = torch.autograd.grad(0.3 * apart, pictures)
    return size.detach(), apart.detach(), of_size, of_apart


# of less than a vector, of several runs with a part of one at the end, of several frames
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(1, 3, 1, 3), (2, 1, 6, 70), (1, 3, 64, 64), (3, 2, 91, 90)])
def test_kernels_are_as_the_reference(shape, threads):
    torch.manual_seed(1)
    frames, _, height, width = shape
    pictures, targets = torch.randn(shape), torch.randn(shape)
    targets[..., 1] = pictures[..., 1]  # no difference: no gradient
    weights = torch.rand(frames, 1, height, width)
    with threads_are(threads), cuda_ops.using("cpu"):
        got = found(cuda_ops, pictures, targets, weights)
    assert (got[3][..., 1] == 0).all()
    for one, other in zip(got, found(REFERENCE, pictures, targets, weights), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_a_sum_does_not_depend_on_the_number_of_threads():
    torch.manual_seed(2)
    pictures, targets, weights = (torch.randn(1, n, 128, 128) for n in (3, 3, 1))
    sums = []
    for count in (1, 2, 3):
        with threads_are(count), cuda_ops.using("cpu"):
            sums.append(float(cuda_ops.apart(pictures, targets, weights)))
    assert sums[0] == sums[1] == sums[2]


def test_pictures_in_another_order_of_memory_are_taken():
    torch.manual_seed(3)
    pictures = torch.randn(1, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    with cuda_ops.using("cpu"):
        size = cuda_ops.mean_size(pictures)
    torch.testing.assert_close(size, REFERENCE.mean_size(pictures))


def test_targets_that_want_a_gradient_get_one():
    torch.manual_seed(4)
    targets = torch.randn(1, 3, 4, 4, requires_grad=True)
    with cuda_ops.using("cpu"):
        cuda_ops.apart(torch.zeros(1, 3, 4, 4), targets, torch.ones(1, 1, 4, 4)).backward()
    torch.testing.assert_close(targets.grad, targets.detach().sign() / 3)
