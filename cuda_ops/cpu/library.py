"""The C++ library: how it is built, loaded and called."""

from __future__ import annotations

import ctypes
import functools
import logging
from ctypes import POINTER, Structure, c_int
from enum import IntEnum
from pathlib import Path

import torch

from cuda_ops import arithmetic
from cuda_ops.build import Recipe, cplusplus, load, sanitizers
from cuda_ops.cpu import abi, prebuilt
from cuda_ops.errors import KernelError

_log = logging.getLogger("cuda_ops")

# Output channels of a register tile (GROUP of vec.h), by the lanes of a vector.
GROUPS = {4: 6, 8: 6, 16: 12}

# Warnings: GCC tells at every function of vectors that passing them depends on the machine
# (-Wpsabi), and that attributes of a vector type are no part of a template's name
# (-Wignored-attributes). The library is compiled for one machine, as one.
FLAGS = (
    "-std=c++20", "-O3", "-march=native", "-fopenmp", "-fPIC", "-fno-math-errno",
    "-Wall", "-Wextra", "-Wno-psabi", "-Wno-ignored-attributes",
)  # fmt: skip
SOURCES = (
    "cpu/block.cpp",
    "cpu/backward.cpp",
    "cpu/differences.cpp",
    "cpu/haar.cpp",
    "cpu/octave.cpp",
    "cpu/stylegan2.cpp",
)


class Products16(IntEnum):
    """What multiplies bf16, as in bf16.h."""

    NONE = 0
    DOTS = 1
    TILES = 2


def recipe() -> Recipe:
    """Return how the library is made on this machine: $CXX or g++, for its very processor."""
    # torch brings an OpenMP of its own: two of them in one process fight over the cores.
    own = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    links, versions = tuple(map(str, own[:1])), (torch.__version__,)
    return Recipe("cpu", cplusplus(), SOURCES, (*FLAGS, *sanitizers()), links, versions)


@functools.cache
def library() -> ctypes.CDLL:
    """Return the library: built for this machine, or else the prebuilt one nearest to it.

    Raises KernelError when it cannot be built and there is none.
    """
    try:
        loaded = load(recipe())
    except KernelError as error:
        if sanitizers():
            raise
        loaded = _prebuilt(error)
    for job, launcher in abi.LAUNCHERS.items():
        function = getattr(loaded, launcher)
        function.argtypes, function.restype = [POINTER(job)], c_int
    return loaded


def _prebuilt(why: KernelError) -> ctypes.CDLL:
    """Return the prebuilt library. Raises `why` none could be built, where there is no other."""
    try:
        loaded = prebuilt.load()
    except KernelError:
        raise why from None
    _log.info("prebuilt kernels, because %s", why)
    return loaded


@functools.cache
def lanes() -> int:
    """Return the floats of one vector of this machine: 4, 8 or 16."""
    return int(library().facecodec_lanes())


@functools.cache
def products16() -> Products16:
    """Return what this machine multiplies bf16 with."""
    return Products16(library().facecodec_products16())


def in_bf16(seen: bool = False) -> bool:
    """Whether to multiply in bf16 now; `seen`: the result is bytes for people to look at."""
    return arithmetic.in_bf16(products16() != Products16.NONE, seen)


def run(job: Structure) -> None:
    """Run a job, one of `abi.LAUNCHERS`. Raises MemoryError when a thread finds no memory."""
    if getattr(library(), abi.LAUNCHERS[type(job)])(ctypes.byref(job)):
        raise MemoryError("no memory for the kernels' lines")
