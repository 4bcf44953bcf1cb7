"""Synthesis operators, each with a plain torch reference, a C++ build and a CUDA build."""

from cuda_ops.build import KernelError
from cuda_ops.dispatch import use, use_precision, using
from cuda_ops.mobilestylegan import Head, MobileBlock
from cuda_ops.operators import (
    low_block,
    mobile_block,
    mobile_network,
    mobile_network_rgb8,
    separable_conv,
    to_image,
)
from cuda_ops.reference import SeparableConv, inverse_haar, rgb8
from cuda_ops.stylegan2 import (
    GAIN,
    LEAK,
    ModulatedConv,
    bias_act,
    double,
    modulated_conv,
    modulated_rgb,
    upfirdn2d,
)

__all__ = [
    "GAIN",
    "Head",
    "KernelError",
    "LEAK",
    "MobileBlock",
    "ModulatedConv",
    "SeparableConv",
    "bias_act",
    "double",
    "inverse_haar",
    "low_block",
    "mobile_block",
    "mobile_network",
    "mobile_network_rgb8",
    "modulated_conv",
    "modulated_rgb",
    "rgb8",
    "separable_conv",
    "to_image",
    "upfirdn2d",
    "use",
    "use_precision",
    "using",
]
