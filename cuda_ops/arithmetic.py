"""The type in which kernels multiply: float32, or bf16 with sums in float32.

A choice is made by `cuda_ops.use_arithmetic`, else by the environment variable
FACECODEC_ARITHMETIC, else it is `auto`: bf16 where the machine has it, but only for pictures that
leave as bytes and inside `roughly`, where fits run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cuda_ops.errors import KernelError

ARITHMETICS = ("auto", "fp32", "bf16")
VARIABLE = "FACECODEC_ARITHMETIC"

_chosen: str | None = None
# Of the thread that runs it: a fit beside a decode changes no arithmetic but its own.
_roughly: ContextVar[bool] = ContextVar("roughly", default=False)


def choose(arithmetic: str | None) -> str | None:
    """Set the choice, None for the environment's, and return the previous one.

    Raises ValueError for an unknown arithmetic.
    """
    global _chosen
    if arithmetic is not None and arithmetic not in ARITHMETICS:
        raise ValueError(f"{arithmetic!r} is no arithmetic; there are {', '.join(ARITHMETICS)}")
    previous, _chosen = _chosen, arithmetic
    return previous


def choice() -> str:
    """Return the arithmetic chosen: one of ARITHMETICS.

    Raises KernelError when the environment names none of them.
    """
    arithmetic = _chosen or os.environ.get(VARIABLE) or "auto"
    if arithmetic not in ARITHMETICS:
        raise KernelError(f"{VARIABLE}={arithmetic}: there are {', '.join(ARITHMETICS)}")
    return arithmetic


def in_bf16(available: bool, seen: bool = False) -> bool:
    """Whether to multiply in bf16, where that is `available`.

    seen: the result is bytes for people to look at, which auto may round.
    Raises KernelError when bf16 was chosen and is not available.
    """
    arithmetic = choice()
    if arithmetic == "bf16" and not available:
        raise KernelError("bf16 was chosen and this processor has no bf16 products")
    rough = seen or _roughly.get()
    return available and (arithmetic == "bf16" or (arithmetic == "auto" and rough))


@contextmanager
def roughly() -> Iterator[None]:
    """Let auto take bf16 for every picture inside the `with` block, forward and backward.

    On this thread alone.
    """
    token = _roughly.set(True)
    try:
        yield
    finally:
        _roughly.reset(token)
