"""The reference implementation as one module, in the shape of the fast ones."""

from cuda_ops.mobilestylegan import mobile_network, mobile_network_rgb8
from cuda_ops.reference import low_block, mobile_block, separable_conv, to_image

__all__ = [
    "low_block",
    "mobile_block",
    "mobile_network",
    "mobile_network_rgb8",
    "separable_conv",
    "to_image",
]
