"""Which backend runs the operators: reference, cpu or cuda.

A choice is made by `use`, else by the environment variable FACECODEC_KERNEL, else it is `auto`:
the fastest that this machine can build. Any other choice is kept to, or raises KernelError.
Tensors that no fast build takes (forward-mode differentiation, other types than float32) run on
the reference. What was chosen is logged once, by the logger `cuda_ops`: as information where a
fast build runs, as a warning where none can.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from cuda_ops import arithmetic
from cuda_ops.backend import REFERENCE, Backend
from cuda_ops.cpu.backend import CpuBackend
from cuda_ops.cuda.backend import CudaBackend
from cuda_ops.errors import KernelError

KINDS = ("auto", "reference", "cpu", "cuda")
VARIABLE = "FACECODEC_KERNEL"

_log = logging.getLogger("cuda_ops")
_chosen: str | None = None
_ready: dict[str, Backend | KernelError] = {}
_announced: set[str] = set()


def use(kind: str | None) -> None:
    """Choose the implementation of all operators; None goes back to the environment's choice.

    Raises KernelError when this machine cannot run it, ValueError for an unknown kind.
    """
    global _chosen
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{kind!r} is no kernel; there are {', '.join(KINDS)}")
    if kind in ("cpu", "cuda"):
        _require(kind)
    _chosen = kind


def use_arithmetic(kind: str | None) -> None:
    """Choose the type of the products: fp32, bf16, or auto; None goes back to the environment's.

    auto takes bf16 where the machine is faster at it, and only for pictures that leave as bytes
    and inside `roughly`, where fits run. Raises KernelError where there are no bf16 products,
    ValueError for an unknown arithmetic.
    """
    if kind == "bf16" and not (has_bf16("cpu") or has_bf16("cuda")):
        raise KernelError("this processor has no bf16 products; use arithmetic fp32")
    arithmetic.choose(kind)


@contextmanager
def using(kind: str | None, arithmetic_kind: str | None = None) -> Iterator[None]:
    """Choose an implementation and an arithmetic for the length of a `with` block."""
    global _chosen
    kernel_before, arithmetic_before = _chosen, arithmetic.choose(None)
    try:
        use(kind)
        use_arithmetic(arithmetic_kind)
        yield
    finally:
        _chosen = kernel_before
        arithmetic.choose(arithmetic_before)


def choice() -> str:
    """Return the kind chosen: one of KINDS. Raises KernelError when the environment's is none."""
    kind = _chosen or os.environ.get(VARIABLE) or "auto"
    if kind not in KINDS:
        raise KernelError(f"{VARIABLE}={kind}: there are {', '.join(KINDS)}")
    return kind


def describe(device: str = "cpu") -> str:
    """Return in one line which kernels run on tensors of a device, and in which arithmetic.

    May build them. Raises KernelError for a choice that cannot be kept to.
    """
    kind = choice()
    backend, reason = REFERENCE, ""
    if kind == "auto":
        backend, reason = _best(device)
    elif kind != "reference":
        backend = _require(kind)
    bf16 = "bf16" if arithmetic.in_bf16(backend.has_bf16(), seen=True) else "fp32"
    words = f"{backend.name} ({backend.describe()}), rendered frames in {bf16}"
    return f"{words}; several times slower, because {reason}" if reason else words


def has_bf16(device: str = "cpu") -> bool:
    """Whether the kernels of a device can multiply in bf16. May build them.

    Of the GPU's, StyleGAN2's products can, which are torch's.
    """
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return state(device) == "ready" and _require(device).has_bf16()


def state(kind: str) -> str:
    """Return 'ready', or in one line why the build `kind` is not available. May build it."""
    try:
        _require(kind)
    except KernelError as error:
        return str(error)
    return "ready"


def backend_for(tensors: Sequence[Tensor]) -> Backend:
    """Return the backend whose operators take these tensors [...], at least one.

    Raises KernelError when a kind was chosen by name and cannot run on them.
    """
    kind = choice()
    if kind == "reference" or not _plain(tensors):
        return REFERENCE
    device = tensors[0].device.type
    if kind not in ("auto", device):
        raise KernelError(f"kernel {kind} cannot work on tensors of device {device}")
    chosen = _best(device)[0] if kind == "auto" else _require(kind)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        return chosen.gradients
    return chosen


def _best(device: str) -> tuple[Backend, str]:
    """Return the fast build of a device and "", or the reference and why there is no other."""
    try:
        backend = _require(device)
    except KernelError as error:
        line = f"kernels: reference, several times slower, because {error}"
        _announce_once(device, logging.WARNING, line)
        return REFERENCE, str(error)
    if device not in _announced:
        _announce_once(device, logging.INFO, f"kernels: {backend.name} ({backend.describe()})")
    return backend, ""


def _require(kind: str) -> Backend:
    """Return the fast build `kind`, loaded. Raises KernelError, the same one every time."""
    if kind not in _ready:
        try:
            _ready[kind] = _load(kind)
        except KernelError as error:
            _ready[kind] = error
    ready = _ready[kind]
    if isinstance(ready, KernelError):
        raise KernelError(str(ready))
    return ready


def _load(kind: str) -> Backend:
    if kind == "cpu":
        return CpuBackend()
    if kind == "cuda":
        return CudaBackend()
    raise KernelError(f"there are no kernels for device {kind}")


def _plain(tensors: Sequence[Tensor]) -> bool:
    """Whether a kernel may take these tensors: float32, not empty, and not being transformed."""
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    if any(t.dtype != torch.float32 or t._is_zerotensor() or not len(t) for t in tensors):
        return False
    return not any(_has_tangent(t) for t in tensors)


def _has_tangent(tensor: Tensor) -> bool:
    """Whether forward-mode differentiation runs through a tensor."""
    from torch.autograd import forward_ad

    level: Any = getattr(forward_ad, "_current_level", -1)
    return level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None


def _announce_once(device: str, level: int, line: str) -> None:
    if device not in _announced:
        _announced.add(device)
        _log.log(level, line)
