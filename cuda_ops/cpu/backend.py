"""All operators of the C++ build as one backend."""

from __future__ import annotations

import torch

from cuda_ops.backend import Backend
from cuda_ops.cpu import library
from cuda_ops.cpu.differences import DifferenceKernels
from cuda_ops.cpu.gradients import CpuGradients
from cuda_ops.cpu.mobile import MobileKernels
from cuda_ops.cpu.modulated import ModulatedKernels
from cuda_ops.cpu.octaves import OctaveKernels

_BF16 = {
    library.Products16.NONE: "",
    library.Products16.DOTS: ", bf16 dot products",
    library.Products16.TILES: ", bf16 tiles",
}


class CpuBackend(MobileKernels, ModulatedKernels, OctaveKernels, DifferenceKernels):
    """The C++ kernels. Raises KernelError when they cannot be built or loaded."""

    name = "cpu"

    def __init__(self) -> None:
        library.library()

    def describe(self) -> str:
        """Return vector width, what multiplies bf16, and threads."""
        bf16 = _BF16[library.products16()]
        return f"{32 * library.lanes()}-bit vectors{bf16}, {torch.get_num_threads()} threads"

    def has_bf16(self) -> bool:
        """Whether this processor multiplies bf16."""
        return library.products16() != library.Products16.NONE

    @property
    def gradients(self) -> Backend:
        """The kernels that autograd can go back through."""
        return CpuGradients()
