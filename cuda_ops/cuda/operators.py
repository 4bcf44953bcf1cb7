"""All operators of the CUDA build, in the shape of `cuda_ops.reference_ops`.

None is differentiable: where gradients are wanted the reference runs, on the GPU as well.
"""

import torch

from cuda_ops.cuda.mobilestylegan import (
    low_block,
    mobile_block,
    mobile_network,
    mobile_network_rgb8,
    separable_conv,
    to_image,
)
from cuda_ops.cuda.stylegan2 import bias_act, double, modulated_conv, modulated_rgb, upfirdn2d

__all__ = [
    "bias_act",
    "describe",
    "double",
    "low_block",
    "mobile_block",
    "mobile_network",
    "mobile_network_rgb8",
    "modulated_conv",
    "modulated_rgb",
    "separable_conv",
    "to_image",
    "upfirdn2d",
]


def describe() -> str:
    """Return in a few words what runs: the GPU and its generation."""
    major, minor = torch.cuda.get_device_capability()
    return f"{torch.cuda.get_device_name()}, sm_{major}{minor}"
