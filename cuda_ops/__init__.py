"""Synthesis operators, each with a plain torch reference, a C++ build and a CUDA build."""

from cuda_ops.reference import (
    SeparableConv,
    inverse_haar,
    mobile_block,
    separable_conv,
    to_image,
)

__all__ = ["SeparableConv", "inverse_haar", "mobile_block", "separable_conv", "to_image"]
