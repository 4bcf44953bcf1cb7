"""Synthesis operators: a plain torch reference of each, a C++ build and a CUDA build.

`use` and `use_arithmetic` choose what runs, `describe` says what that is. Everything is imported on
first use: what builds libraries (`cuda_ops.build`) needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cuda_ops.arithmetic import roughly
    from cuda_ops.backend import Backend, inverse_haar, rgb8
    from cuda_ops.derived import once
    from cuda_ops.dispatch import describe, use, use_arithmetic, using
    from cuda_ops.errors import KernelError
    from cuda_ops.graphs import Graphed
    from cuda_ops.memory import keep_freed_memory
    from cuda_ops.operands import GAIN, LEAK, Head, MobileBlock, ModulatedConv, SeparableConv
    from cuda_ops.operators import (
        apart,
        bias_act,
        double,
        finer,
        halved,
        mean_size,
        mobile_block,
        mobile_network,
        mobile_network_rgb8,
        modulated_conv,
        modulated_rgb,
        separable_conv,
        to_image,
        upfirdn2d,
    )

# name -> module of this package
_HOMES = {
    "apart": "operators",
    "Backend": "backend",
    "bias_act": "operators",
    "describe": "dispatch",
    "double": "operators",
    "finer": "operators",
    "GAIN": "operands",
    "Graphed": "graphs",
    "halved": "operators",
    "Head": "operands",
    "inverse_haar": "backend",
    "keep_freed_memory": "memory",
    "KernelError": "errors",
    "LEAK": "operands",
    "mean_size": "operators",
    "mobile_block": "operators",
    "mobile_network": "operators",
    "mobile_network_rgb8": "operators",
    "MobileBlock": "operands",
    "modulated_conv": "operators",
    "modulated_rgb": "operators",
    "ModulatedConv": "operands",
    "once": "derived",
    "rgb8": "backend",
    "roughly": "arithmetic",
    "separable_conv": "operators",
    "SeparableConv": "operands",
    "to_image": "operators",
    "upfirdn2d": "operators",
    "use": "dispatch",
    "use_arithmetic": "dispatch",
    "using": "dispatch",
}

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
    "apart",
    "bias_act",
    "describe",
    "double",
    "finer",
    "halved",
    "inverse_haar",
    "keep_freed_memory",
    "mean_size",
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"cuda_ops.{_HOMES[name]}"), name)
    return value
