"""Derived forms of constant tensors, made once a tensor: packed, transformed, rounded."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

# tensor -> how it is made -> (version, made): one changed in place, as by tuning, is made again.
_made: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def once(tensor: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `make(tensor)`, from the last time where the tensor is the same."""
    if tensor.is_inference():  # carries no version, so that a change would pass unseen
        return make(tensor)
    version = (tensor._version, tensor.data_ptr())
    ways: dict[Callable[[Tensor], Tensor], tuple[tuple[int, int], Tensor]]
    ways = _made.setdefault(tensor, {})
    known = ways.get(make)
    if known is None or known[0] != version:
        known = ways[make] = (version, make(tensor.detach()))
    return known[1]
