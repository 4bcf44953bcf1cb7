"""Synthesis operators: a plain torch reference of each, a C++ build and a CUDA build.

`use` and `use_arithmetic` choose what runs, `describe` says what that is.
"""

from cuda_ops.arithmetic import roughly
from cuda_ops.backend import Backend, inverse_haar, rgb8
from cuda_ops.dispatch import describe, use, use_arithmetic, using
from cuda_ops.errors import KernelError
from cuda_ops.graphs import Graphed
from cuda_ops.memory import keep_freed_memory
from cuda_ops.once import once
from cuda_ops.operands import GAIN, LEAK, Head, MobileBlock, ModulatedConv, SeparableConv
from cuda_ops.operators import (
    bias_act,
    double,
    mobile_block,
    mobile_network,
    mobile_network_rgb8,
    modulated_conv,
    modulated_rgb,
    separable_conv,
    to_image,
    upfirdn2d,
)

__all__ = [
    "GAIN",
    "Backend",
    "Graphed",
    "Head",
    "KernelError",
    "LEAK",
    "MobileBlock",
    "ModulatedConv",
    "SeparableConv",
    "bias_act",
    "describe",
    "double",
    "inverse_haar",
    "keep_freed_memory",
    "mobile_block",
    "mobile_network",
    "mobile_network_rgb8",
    "modulated_conv",
    "modulated_rgb",
    "once",
    "rgb8",
    "roughly",
    "separable_conv",
    "to_image",
    "upfirdn2d",
    "use",
    "use_arithmetic",
    "using",
]
