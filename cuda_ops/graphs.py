"""CUDA graphs: a render of fixed shape is recorded once and then started as one thing.

A frame is dozens of short launches, which cost the CPU more time than the GPU's work takes. On
the CPU nothing is recorded and the function is called as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARM = 2  # calls before recording: kernels load, cuDNN makes its choices


class Graphed:
    """A function of one tensor whose other inputs never change, recorded once a shape.

    For inference only: no gradient flows, and weights must stay where they are.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self._function = function
        self._recorded: dict[tuple[int, ...], tuple[Any, Tensor, Tensor]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Return the function's result, on the GPU in memory of its own."""
        if not x.is_cuda:
            return self._function(x)
        shape = tuple(x.shape)
        if shape not in self._recorded:
            self._recorded[shape] = self._record(x)
        graph, given, result = self._recorded[shape]
        given.copy_(x)
        graph.replay()
        return result.clone()

    def _record(self, x: Tensor) -> tuple[Any, Tensor, Tensor]:
        given = x.clone()
        # Torch's rule: warm up on a stream that is not the one recorded later.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM):
                self._function(given)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._function(given)
        return graph, given, result
