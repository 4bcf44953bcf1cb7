"""Derived forms of constant tensors, made once a tensor: packed, transformed, rounded, shrunk."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

# source -> (function, its parameters) -> (state of the source, result). The state tells a source
# that was changed in place, as tuning does it, so that its derived forms are made again.
_kept: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def once(tensor: Tensor, make: Callable[..., Tensor], *parameters: Hashable) -> Tensor:
    """Return `make(tensor, *parameters)`, the kept result where the tensor has not changed.

    Tensors of any shape [...].

    A result that a gradient must flow through, or whose source cannot tell that it was changed
    (an inference tensor), is made every time.
    """
    if not _constant(tensor):
        return make(tensor, *parameters)
    state = (tensor._version, tensor.data_ptr())
    results: dict[Any, tuple[tuple[int, int], Tensor]] = _kept.setdefault(tensor, {})
    known = results.get((make, parameters))
    if known is None or known[0] != state:
        # Made outside of inference mode: the result may be saved for a backward pass later on.
        with torch.inference_mode(False), torch.no_grad():
            known = state, make(tensor.detach(), *parameters)
        results[make, parameters] = known
    return known[1]


def _constant(tensor: Tensor) -> bool:
    """Whether what is derived from a tensor may be kept: nobody differentiates through it."""
    if tensor.is_inference() or torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return False
    return not (tensor.requires_grad and torch.is_grad_enabled())
