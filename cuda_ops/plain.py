"""Small C++ libraries beside the kernels: a wheel brings them, or they are built at first use.

Whoever uses one can do without, in a longer time.
"""

from __future__ import annotations

import ctypes
import logging
from dataclasses import dataclass
from pathlib import Path

from cuda_ops.build import Recipe, cplusplus, load, sanitizers
from cuda_ops.errors import KernelError

_log = logging.getLogger("cuda_ops.plain")

FLAGS = ("-std=c++20", "-O3", "-fPIC", "-Wall", "-Wextra")
NATIVE = "-march=native"  # for the processor that the library is built on


@dataclass(frozen=True, kw_only=True)
class PlainLibrary:
    """A library of a few C++ files, which has the name of the first.

    sources: files of one folder. flags: beside `FLAGS`. native: whether it is faster when built for
    the processor at hand; a wheel's is then taken only where none can be built. without: what is
    done without the library, to be logged.
    """

    sources: tuple[Path, ...]
    flags: tuple[str, ...] = ()
    native: bool = False
    without: str

    @property
    def prebuilt(self) -> Path:
        """Return where a wheel has it, for any processor of a kind."""
        first = self.sources[0]
        return first.parent / "prebuilt" / f"{first.stem}.so"

    def recipe(self) -> Recipe:
        """Return how it is made here, by `cplusplus`."""
        flags = *FLAGS, *self.flags, *((NATIVE,) if self.native else ()), *sanitizers()
        names = tuple(source.name for source in self.sources)
        first = self.sources[0]
        return Recipe(first.stem, cplusplus(), names, flags, root=first.parent)

    def load(self) -> ctypes.CDLL | None:
        """Return the library, built where it has to be; None where there is none."""
        shipped = self.prebuilt.is_file()
        try:
            if shipped and not self.native:
                return ctypes.CDLL(str(self.prebuilt))
            return load(self.recipe())
        except (KernelError, OSError) as error:
            if shipped and self.native:
                return ctypes.CDLL(str(self.prebuilt))
            _log.info("%s: %s", self.without, error)
            return None
