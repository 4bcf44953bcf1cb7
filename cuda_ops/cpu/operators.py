"""All operators of the C++ build, in the shape of `cuda_ops.reference_ops`."""

import torch

from cuda_ops.cpu.library import lanes
from cuda_ops.cpu.mobilestylegan import (
    low_block,
    mobile_block,
    mobile_network,
    mobile_network_rgb8,
    separable_conv,
    to_image,
)

__all__ = [
    "describe",
    "low_block",
    "mobile_block",
    "mobile_network",
    "mobile_network_rgb8",
    "separable_conv",
    "to_image",
]


def describe() -> str:
    """Return in a few words what runs: vector width and threads."""
    return f"{32 * lanes()}-bit vectors, {torch.get_num_threads()} threads"
