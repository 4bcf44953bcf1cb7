"""The operators as the rest of the project calls them: `dispatch` picks who computes them.

What each one computes, its shapes and its errors stand with its reference in `backend.Backend`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, Concatenate, ParamSpec

from torch import Tensor

from cuda_ops.backend import Backend
from cuda_ops.dispatch import backend_for

P = ParamSpec("P")


def _dispatched(operator: Callable[Concatenate[Any, P], Tensor]) -> Callable[P, Tensor]:
    """Return a function that calls this operator of the backend its tensors run on."""
    name = operator.__name__

    @functools.wraps(operator)
    def call(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        # the docstring is the operator's own
        tensors: list[Tensor] = []
        _collect(args, tensors)
        _collect(tuple(kwargs.values()), tensors)
        result: Tensor = getattr(backend_for(tensors), name)(*args, **kwargs)
        return result

    own = inspect.signature(operator)
    parameters = list(own.parameters.values())[1:]  # without `self`
    call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def _collect(value: Any, tensors: list[Tensor]) -> None:
    """Append all tensors in a value to the list: of sequences, and of the layers' constants."""
    if isinstance(value, Tensor):
        tensors.append(value)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, tensors)
    elif is_dataclass(value):
        for item in vars(value).values():
            _collect(item, tensors)


separable_conv = _dispatched(Backend.separable_conv)
mobile_block = _dispatched(Backend.mobile_block)
to_image = _dispatched(Backend.to_image)
mobile_network = _dispatched(Backend.mobile_network)
mobile_network_rgb8 = _dispatched(Backend.mobile_network_rgb8)
halved = _dispatched(Backend.halved)
finer = _dispatched(Backend.finer)
mean_size = _dispatched(Backend.mean_size)
apart = _dispatched(Backend.apart)
upfirdn2d = _dispatched(Backend.upfirdn2d)
double = _dispatched(Backend.double)
bias_act = _dispatched(Backend.bias_act)
modulated_conv = _dispatched(Backend.modulated_conv)
modulated_rgb = _dispatched(Backend.modulated_rgb)
