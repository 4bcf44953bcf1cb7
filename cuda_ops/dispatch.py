"""Which implementation of the operators runs: reference, cpu or cuda.

A choice is made by `use`, else by the environment variable FACECODEC_KERNEL, else it is `auto`:
the fastest that this machine can build, saying once in one line what that is. Any other choice is
kept to: what cannot be had raises KernelError. Tensors that no fast build takes (forward-mode
differentiation, other types than float32) run on the reference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from cuda_ops import build, reference_ops
from cuda_ops.build import KernelError

KINDS = ("auto", "reference", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")
VARIABLE = "FACECODEC_KERNEL"
PRECISION_VARIABLE = "FACECODEC_PRECISION"

_chosen: str | None = None
_precision: str | None = None
_roughly = False
_ready: dict[str, ModuleType | KernelError] = {}
_said: set[str] = set()


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


def use_precision(precision: str | None) -> None:
    """Choose the type of the products: fp32, bf16, or auto; None goes back to the environment's.

    auto takes bf16 where the machine is faster at it, and only for pictures that leave as bytes
    and inside `roughly`, where fits run. Raises KernelError where bf16 cannot be had, ValueError
    for an unknown precision.
    """
    global _precision
    if precision is not None and precision not in PRECISIONS:
        raise ValueError(f"{precision!r} is no precision; there are {', '.join(PRECISIONS)}")
    if precision == "bf16" and not (has_bf16() or torch.cuda.is_available()):
        raise KernelError("this processor has no bf16 products; use precision fp32")
    _precision = precision


def has_bf16(device: str = "cpu") -> bool:
    """Whether the kernels can multiply in bf16. May build the CPU's.

    Of the GPU's, StyleGAN2's products can, which are torch's.
    """
    if device != "cpu":
        return device == "cuda" and torch.cuda.is_bf16_supported()
    return state("cpu") == "ready" and _require("cpu").products16() > 0


def reduced(seen: bool = False, device: str = "cpu") -> bool:
    """Whether the kernels are to multiply in bf16; `seen`: bytes for people to look at."""
    precision = _precision or os.environ.get(PRECISION_VARIABLE) or "auto"
    if precision not in PRECISIONS:
        raise KernelError(f"{PRECISION_VARIABLE}={precision}: there are {', '.join(PRECISIONS)}")
    if precision == "bf16" and not has_bf16(device):
        raise KernelError(f"{PRECISION_VARIABLE}: this processor has no bf16 products")
    wanted = precision == "bf16" or ((seen or _roughly) and precision == "auto")
    return wanted and has_bf16(device)


@contextmanager
def roughly() -> Iterator[None]:
    """Let auto take bf16 for every picture inside the `with` block, and on the way back from it."""
    global _roughly
    before, _roughly = _roughly, True
    try:
        yield
    finally:
        _roughly = before


@contextmanager
def using(kind: str | None, precision: str | None = None) -> Iterator[None]:
    """Choose an implementation and a precision for the length of a `with` block."""
    global _chosen, _precision
    before = _chosen, _precision
    try:
        use(kind)
        use_precision(precision)
        yield
    finally:
        _chosen, _precision = before


def choice() -> str:
    """Return the kind chosen: one of KINDS. Raises KernelError when the environment's is none."""
    if _chosen is not None:
        return _chosen
    kind = os.environ.get(VARIABLE) or "auto"
    if kind not in KINDS:
        raise KernelError(f"{VARIABLE}={kind}: there are {', '.join(KINDS)}")
    return kind


def implementation(tensors: tuple[Tensor, ...]) -> ModuleType:
    """Return the module whose operators take these tensors.

    Raises KernelError when a kind was asked for by name and cannot be had.
    """
    kind = choice()
    if kind == "reference" or not _plain(tensors):
        return reference_ops
    device = tensors[0].device.type
    if kind not in ("auto", device):
        raise KernelError(f"kernel {kind} cannot work on tensors of device {device}")
    chosen = _best(device) if kind == "auto" else _require(kind)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        differentiable: ModuleType = getattr(chosen, "differentiable", reference_ops)
        return differentiable
    return chosen


def state(kind: str) -> str:
    """Return 'ready', or one line on why the fast build `kind` cannot be had. May build it."""
    try:
        _require(kind)
    except KernelError as error:
        return str(error)
    return "ready"


def _best(device: str) -> ModuleType:
    try:
        module = _require(device)
        _say_once(device, f"kernels: {device} ({module.describe()})")
        return module
    except KernelError as error:
        _say_once(device, f"kernels: reference, several times slower, because {error}")
        return reference_ops


def _require(kind: str) -> ModuleType:
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


def _load(kind: str) -> ModuleType:
    if kind == "cpu":
        from cuda_ops.cpu import library, operators

        library.library()
        return operators
    if kind == "cuda":
        from cuda_ops.cuda import library as cuda_library
        from cuda_ops.cuda import operators as cuda_operators

        cuda_library.library("cuda")
        return cuda_operators
    raise KernelError(f"there are no kernels for device {kind}")


def _plain(tensors: tuple[Tensor, ...]) -> bool:
    """Whether a kernel may take these tensors: float32, and no transform is going on."""
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


def _say_once(topic: str, line: str) -> None:
    if topic not in _said:
        _said.add(topic)
        build.say(line)
