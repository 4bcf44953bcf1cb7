"""Synthesis operators, each with a plain torch reference, a C++ build and a CUDA build."""

from cuda_ops.build import KernelError
from cuda_ops.dispatch import roughly, use, use_precision, using
from cuda_ops.graphs import Graphed
from cuda_ops.mobilestylegan import Head, MobileBlock
from cuda_ops.operators import (
    bias_act,
    double,
    low_block,
    mobile_block,
    mobile_network,
    mobile_network_rgb8,
    modulated_conv,
    modulated_rgb,
    separable_conv,
    to_image,
    upfirdn2d,
)
from cuda_ops.reference import SeparableConv, inverse_haar, rgb8
from cuda_ops.stylegan2 import GAIN, LEAK, ModulatedConv

__all__ = [
    "GAIN",
    "Graphed",
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
    "roughly",
    "separable_conv",
    "to_image",
    "upfirdn2d",
    "use",
    "use_precision",
    "using",
]
