"""All operators of the C++ build, in the shape of `cuda_ops.reference_ops`."""

import torch

from cuda_ops.cpu import differentiable
from cuda_ops.cpu.library import lanes, products16
from cuda_ops.cpu.mobilestylegan import (
    low_block,
    mobile_block,
    mobile_network,
    mobile_network_rgb8,
    separable_conv,
    to_image,
)
from cuda_ops.cpu.stylegan2 import bias_act, double, modulated_conv, modulated_rgb, upfirdn2d

__all__ = [
    "bias_act",
    "describe",
    "differentiable",
    "double",
    "low_block",
    "mobile_block",
    "mobile_network",
    "mobile_network_rgb8",
    "modulated_conv",
    "modulated_rgb",
    "products16",
    "separable_conv",
    "to_image",
    "upfirdn2d",
]


def describe() -> str:
    """Return in a few words what runs: vector width and threads."""
    bf16 = ("", ", bf16 dot products", ", bf16 tiles")[products16()]
    return f"{32 * lanes()}-bit vectors{bf16}, {torch.get_num_threads()} threads"
