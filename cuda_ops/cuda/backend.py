"""All operators of the CUDA build as one backend.

None is differentiable: where gradients are wanted the reference runs, on the GPU as well.
"""

from __future__ import annotations

import torch

from cuda_ops.cuda import library
from cuda_ops.cuda.mobile import MobileKernels
from cuda_ops.cuda.modulated import ModulatedKernels


class CudaBackend(MobileKernels, ModulatedKernels):
    """The CUDA kernels, on the device of their tensors.

    On the CPU the same code runs as loops: its arithmetic is tested with it, and nothing else.
    Raises KernelError when the library of `device` cannot be built or there is no such device.
    """

    name = "cuda"

    def __init__(self, device: str = "cuda") -> None:
        library.library(device)

    def describe(self) -> str:
        """Return the GPU and its generation."""
        major, minor = torch.cuda.get_device_capability()
        return f"{torch.cuda.get_device_name()}, sm_{major}{minor}"

    def has_bf16(self) -> bool:
        """Whether StyleGAN2's products, which are torch's, can be in bf16."""
        return bool(torch.cuda.is_bf16_supported())
