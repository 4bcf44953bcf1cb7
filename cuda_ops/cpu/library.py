"""The C++ library: how it is built, and its structures, mirrored from abi.h field by field."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
from ctypes import POINTER, Structure, c_float, c_int, c_int32, c_int64, c_void_p
from pathlib import Path

import torch

from cuda_ops.build import KernelError, Recipe, build

DOTS, TILES = 1, 2  # Products16 of bf16.h
GROUPS = {4: 6, 8: 6, 16: 12}  # lanes of a vector -> output channels of a register tile


class Conv(Structure):
    """FacecodecConv."""

    _fields_ = [
        ("depthwise", c_void_p), ("pointwise", c_void_p), ("noise", c_void_p), ("bias", c_void_p),
        ("style", c_void_p), ("style_stride", c_int64), ("inputs", c_int32), ("outputs", c_int32),
        ("packed", c_int32), ("products16", c_int32),
    ]  # fmt: skip


class Block(Structure):
    """FacecodecBlock."""

    _fields_ = [
        ("source", c_void_p), ("source_stride", c_int64), ("gain", c_void_p),
        ("gain_stride", c_int64), ("gain_factor", c_float), ("haar", c_int32),
        ("frames", c_int32), ("channels", c_int32), ("height", c_int32), ("width", c_int32),
        ("convs", c_int32), ("conv", Conv * 2), ("head", c_int32), ("head_weight", c_void_p),
        ("head_bias", c_void_p), ("head_style", c_void_p), ("head_stride", c_int64),
        ("result", c_void_p), ("threads", c_int32),
    ]  # fmt: skip


class Backward(Structure):
    """FacecodecBackward."""

    _fields_ = [
        ("gradient", c_void_p), ("output", c_void_p), ("input", c_void_p), ("depthwise", c_void_p),
        ("pointwise", c_void_p), ("style", c_void_p), ("style_stride", c_int64),
        ("input_gradient", c_void_p), ("style_gradient", c_void_p), ("frames", c_int32),
        ("inputs", c_int32), ("outputs", c_int32), ("height", c_int32), ("width", c_int32),
        ("bands", c_int32), ("threads", c_int32), ("products16", c_int32),
    ]  # fmt: skip


class HaarBackward(Structure):
    """FacecodecHaarBackward."""

    _fields_ = [
        ("gradient", c_void_p), ("source", c_void_p), ("gain", c_void_p), ("gain_stride", c_int64),
        ("source_gradient", c_void_p), ("gain_gradient", c_void_p), ("frames", c_int32),
        ("channels", c_int32), ("height", c_int32), ("width", c_int32), ("threads", c_int32),
    ]  # fmt: skip


def recipe() -> Recipe:
    """Return how the library is made on this machine: $CXX or g++, for its very processor."""
    flags = ("-std=c++20", "-O3", "-march=native", "-fopenmp", "-fPIC", "-fno-math-errno", "-w")
    compiler = os.environ.get("CXX") or shutil.which("g++") or "c++"
    # torch brings an OpenMP of its own: two of them in one process fight over the cores.
    own = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    sources = ("cpu/block.cpp", "cpu/backward.cpp", "cpu/stylegan2.cpp")
    return Recipe("cpu", compiler, sources, flags, tuple(map(str, own[:1])))


@functools.cache
def library() -> ctypes.CDLL:
    """Return the library, built when it has to be. Raises KernelError when that fails."""
    path = build(recipe())
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelError(f"{path}: cannot be loaded ({error}); remove it") from None
    loaded.facecodec_block.argtypes = [POINTER(Block)]
    loaded.facecodec_block.restype = c_int
    loaded.facecodec_backward.argtypes = [POINTER(Backward)]
    loaded.facecodec_backward.restype = c_int
    loaded.facecodec_haar_backward.argtypes = [POINTER(HaarBackward)]
    loaded.facecodec_haar_backward.restype = None
    return loaded


@functools.cache
def lanes() -> int:
    """Return the floats of one vector of this machine: 4, 8 or 16."""
    return int(library().facecodec_lanes())


@functools.cache
def products16() -> int:
    """Return what this machine multiplies bf16 with: 0 nothing, 1 dot products, 2 tiles."""
    return int(library().facecodec_products16())


def run_block(block: Block) -> None:
    """Run one block. Raises MemoryError when a thread finds no memory for its lines."""
    if library().facecodec_block(ctypes.byref(block)):
        raise MemoryError("no memory for the kernels' lines")


def run_backward(job: Backward | HaarBackward) -> None:
    """Run one way back. Raises MemoryError as `run_block` does."""
    if isinstance(job, HaarBackward):
        library().facecodec_haar_backward(ctypes.byref(job))
    elif library().facecodec_backward(ctypes.byref(job)):
        raise MemoryError("no memory for the kernels' lines")
