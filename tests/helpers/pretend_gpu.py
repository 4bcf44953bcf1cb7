"""A device that is not there, computed on the CPU, which refuses what a GPU would refuse.

A tensor on the pretended device is a shell of torch's `meta` device around one of the CPU. An
operation that mixes shells with tensors of the CPU is refused, as CUDA refuses it, and a shell has
no `.numpy()`. What it cannot show: kernels, streams, graphs, speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
aten = torch.ops.aten
# CUDA takes tensors of the CPU in these: a copy's source, an index of what lies on the GPU.
MIXED = {
    aten.copy_.default,
    aten._to_copy.default,
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
}


# These change the shape of a tensor itself: of the shell as well as of what it holds.
RESHAPING = {
    aten.squeeze_.default, aten.squeeze_.dim, aten.squeeze_.dims, aten.unsqueeze_.default,
    aten.transpose_.default, aten.t_.default,
}  # fmt: skip


class MixedDevices(AssertionError):
    """An operation got tensors of both devices."""


class Shell(Tensor):
    """A tensor on the pretended device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Shell:
        shell = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device=DEVICE, requires_grad=held.requires_grad,
        )  # fmt: skip
        shell.held = held
        return shell

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Shell({self.held!r})"

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert a tensor of the pretended device to numpy; use .cpu()")

    __array__ = numpy  # type: ignore[assignment]

    def tolist(self) -> Any:
        return self.held.tolist()

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return dispatched(func, args, kwargs or {})


class mode(TorchDispatchMode):
    """While entered, what is asked for on the pretended device is made there, by whomever."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return dispatched(func, args, kwargs or {})


def dispatched(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute an operation on the CPU; shells come of shells and of factories told so."""
    given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    shells = [t for t in given if isinstance(t, Shell)]
    if any(t.is_meta and not isinstance(t, Shell) for t in given):
        raise MixedDevices(f"{func}: a tensor that torch made on the device unseen, without data")
    if shells and func not in MIXED:
        strangers = [t for t in given if not isinstance(t, Shell) and t.dim()]
        if strangers:
            raise MixedDevices(f"{func}: tensors of the CPU and of the GPU")
    device = kwargs.get("device")
    wrap = bool(shells) if device is None else torch.device(device) == DEVICE
    if func in MIXED and given and device is None:
        wrap = isinstance(given[0], Shell)
    if device is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    kwargs.pop("pin_memory", None)
    by_held = {id(t.held): t for t in shells}

    def bare(value: Any) -> Any:
        return value.held if isinstance(value, Shell) else value

    def clad(value: Any) -> Any:
        if not isinstance(value, Tensor) or not wrap:
            return value
        known = by_held.get(id(value))
        return Shell(value) if known is None else known

    if func in RESHAPING and shells:
        with no_dispatch():
            func(*args, **kwargs)
    return tree_map(clad, func(*tree_map(bare, args), **tree_map(bare, kwargs)))


@contextmanager
def pretended(monkeypatch: Any) -> Iterator[None]:
    """Let `--device cuda` mean the pretended device."""
    from facecodec import models

    monkeypatch.setattr(
        models, "pick_device", lambda name: DEVICE if name == "cuda" else torch.device("cpu")
    )
    # Shells cannot be inference tensors.
    monkeypatch.setattr(
        torch, "inference_mode", lambda on=True: torch.no_grad() if on else nullcontext()
    )
    with mode():  # type: ignore[no-untyped-call]
        yield
