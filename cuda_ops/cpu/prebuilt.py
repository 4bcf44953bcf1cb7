"""Libraries that a wheel brings, for machines without a compiler: one for each level of processors.

They are compiled for x86-64 levels (x86-64 psABI) and for what came after the last of them. The
best one that this processor runs is taken. A wheel without them, or another kind of machine, has
none. `release/make_wheel.py` makes them.
"""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from cuda_ops.errors import KernelError

FOLDER = Path(__file__).parent / "prebuilt"

# What /proc/cpuinfo calls the instruction sets of a level, beyond those of the one before.
_V3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}
_V4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
_BF16 = {"avx512_bf16"}
_AMX = {"amx_tile", "amx_bf16", "amx_int8", "avx512_fp16", "avx512_vnni", "avx_vnni"}


@dataclass(frozen=True)
class Level:
    """Processors that run one library. name: of its file; flags: to compile it for them."""

    name: str
    needs: frozenset[str]
    flags: tuple[str, ...]


# The best one first.
LEVELS = (
    Level("amx", frozenset(_V3 | _V4 | _BF16 | _AMX), ("-march=sapphirerapids",)),
    Level("bf16", frozenset(_V3 | _V4 | _BF16), ("-march=x86-64-v4", "-mavx512bf16")),
    Level("v4", frozenset(_V3 | _V4), ("-march=x86-64-v4",)),
    Level("v3", frozenset(_V3), ("-march=x86-64-v3",)),
)


def level_of(flags: frozenset[str]) -> Level | None:
    """Return the best level of a processor with these instruction sets, None below the lowest."""
    return next((level for level in LEVELS if level.needs <= flags), None)


def processor_flags() -> frozenset[str]:
    """Return what /proc/cpuinfo says of this processor; nothing where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())


def load() -> ctypes.CDLL:
    """Return the library for this processor. Raises KernelError where there is none."""
    level = level_of(processor_flags())
    if platform.machine() not in ("x86_64", "AMD64") or level is None:
        raise KernelError("there are no prebuilt kernels for this processor")
    path = FOLDER / f"{level.name}.so"
    if not path.is_file():
        raise KernelError("this installation has no prebuilt kernels")
    try:
        _load_openmp()
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelError(f"{path}: cannot be loaded ({error})") from None


def _load_openmp() -> None:
    """Load the OpenMP that torch brings, or the system's, whose functions the libraries call.

    They name no file for it: two of them in one process fight over the cores.
    """
    own = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    ctypes.CDLL(str(own[0]) if own else "libgomp.so.1", mode=ctypes.RTLD_GLOBAL)
