"""The reference implementation as one module, in the shape of the fast ones."""

from cuda_ops.mobilestylegan import mobile_network, mobile_network_rgb8
from cuda_ops.reference import low_block, mobile_block, separable_conv, to_image
from cuda_ops.stylegan2 import bias_act, double, modulated_conv, modulated_rgb, upfirdn2d

__all__ = [
    "bias_act",
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
