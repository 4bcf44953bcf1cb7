"""The CUDA library: how it is built, and its structures, mirrored from abi.h field by field.

The same sources make a second library, for the CPU, whose loops compute what the GPU would: the
arithmetic is tested with it. No operator is ever dispatched there.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
from ctypes import POINTER, Structure, c_char_p, c_float, c_int, c_int32, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

from cuda_ops.build import Recipe, cplusplus, load, sanitizers
from cuda_ops.errors import KernelError

TOOLKIT = Path("/usr/local/cuda/bin/nvcc")
MAX_TAPS = 32
# Real code for the A100 and the H100 families, and PTX for what comes after them.
TARGETS = (
    "-gencode=arch=compute_80,code=sm_80",
    "-gencode=arch=compute_90,code=sm_90",
    "-gencode=arch=compute_90,code=compute_90",
)
HOST_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-Wall", "-Wextra")


class Separable(Structure):
    """FacecodecSeparable."""

    _fields_ = [
        ("source", c_void_p), ("source_stride", c_int64), ("gain", c_void_p),
        ("gain_stride", c_int64), ("gain_factor", c_float), ("haar", c_int32),
        ("depthwise", c_void_p), ("pointwise", c_void_p), ("noise", c_void_p), ("bias", c_void_p),
        ("style", c_void_p), ("style_stride", c_int64), ("result", c_void_p), ("frames", c_int32),
        ("inputs", c_int32), ("outputs", c_int32), ("height", c_int32), ("width", c_int32),
    ]  # fmt: skip


class PictureHead(Structure):
    """FacecodecHead."""

    _fields_ = [
        ("source", c_void_p), ("weight", c_void_p), ("bias", c_void_p), ("style", c_void_p),
        ("style_stride", c_int64), ("result", c_void_p), ("frames", c_int32), ("inputs", c_int32),
        ("height", c_int32), ("width", c_int32), ("kind", c_int32),
    ]  # fmt: skip


class Fir(Structure):
    """FacecodecFir."""

    _fields_ = [
        ("source", c_void_p), ("result", c_void_p), ("frames", c_int32), ("channels", c_int32),
        ("height", c_int32), ("width", c_int32), ("out_height", c_int32), ("out_width", c_int32),
        ("up", c_int32), ("down", c_int32), ("pad", c_int32), ("count", c_int32),
        ("taps", c_float * MAX_TAPS), ("act", c_int32), ("scale", c_void_p), ("noise", c_void_p),
        ("bias", c_void_p), ("clamp", c_float),
    ]  # fmt: skip


# In the order of `facecodec_size` in kernels.cu.
LAUNCHERS: dict[type[Structure], str] = {
    Separable: "facecodec_separable",
    PictureHead: "facecodec_head",
    Fir: "facecodec_fir",
}


def recipe() -> Recipe:
    """Return how the GPU's library is made: $NVCC, nvcc of the path, or the toolkit's own."""
    nvcc = os.environ.get("NVCC") or shutil.which("nvcc")
    compiler = nvcc or (str(TOOLKIT) if TOOLKIT.is_file() else "nvcc")
    flags = ("-std=c++17", "-O3", "-Xcompiler=-fPIC", "--no-compress", *TARGETS)
    return Recipe("cuda", compiler, ("cuda/kernels.cu",), flags, versions=(torch.__version__,))


def host_recipe() -> Recipe:
    """Return how the CPU's copy is made."""
    flags, versions = (*HOST_FLAGS, *sanitizers()), (torch.__version__,)
    return Recipe("cuda-on-host", cplusplus(), ("cuda/host.cpp",), flags, versions=versions)


@functools.cache
def library(device: str) -> ctypes.CDLL:
    """Return the library for tensors of 'cuda' or 'cpu', built when it has to be.

    Raises KernelError when that fails, or when there is no GPU for it.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise KernelError("torch finds no CUDA device here")
    loaded = load(recipe() if device == "cuda" else host_recipe())
    for job, name in LAUNCHERS.items():
        launcher = getattr(loaded, name)
        launcher.argtypes, launcher.restype = [POINTER(job), c_void_p], c_int
    loaded.facecodec_error.argtypes, loaded.facecodec_error.restype = [c_int], c_char_p
    return loaded


def launch(job: Structure, result: Tensor) -> Tensor:
    """Run a job on the device of its result [...], in torch's current stream, and return that.

    Raises KernelError with CUDA's words when it cannot be launched.
    """
    loaded = library(result.device.type)
    stream = None
    if result.is_cuda:
        stream = torch.cuda.current_stream(result.device).cuda_stream
    with torch.cuda.device_of(result):
        number = getattr(loaded, LAUNCHERS[type(job)])(ctypes.byref(job), stream)
    if number:
        words = loaded.facecodec_error(number).decode()
        raise KernelError(f"{LAUNCHERS[type(job)]} cannot be launched: {words}")
    return result
