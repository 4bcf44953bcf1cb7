"""Synthesis operators, each with a plain torch reference, a C++ build and a CUDA build."""

from cuda_ops.reference import (
    SeparableConv,
    inverse_haar,
    mobile_block,
    separable_conv,
    to_image,
)
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
    "LEAK",
    "ModulatedConv",
    "SeparableConv",
    "bias_act",
    "double",
    "inverse_haar",
    "mobile_block",
    "modulated_conv",
    "modulated_rgb",
    "separable_conv",
    "to_image",
    "upfirdn2d",
]
