"""A tuning as a value: what a person's styles, and the network's weights, are changed by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding.full_tuning import (
    FULL_KIND,
    pack_full,
    parse_full,
    quantise_full,
)
from facecodec.bitstream.coding.light_tuning import pack_light, parse_light, quantise_light
from facecodec.bitstream.coding.small_tuning import (
    SMALL_KIND,
    pack_small,
    parse_small,
    quantise_small,
)
from facecodec.bitstream.coding.tuning import KIND_NAMES, kind_of
from facecodec.fit.response import Response, channel_spread, tuned
from facecodec.fit.weight_tuning import changed, tensor_sizes
from facecodec.generator.base import Generator


@dataclass(frozen=True, eq=False)
class Tuning:
    """A small, light or full tuning, with the values that a decoder will read.

    values: float32 [1 + K, num_styles], what is added to the person's styles at rest and to the
    effect of each of the K controls, in units of each channel's spread. weights: float32 [N], what
    is added to the tunable weights of the network, in units of each tensor's root mean square;
    None but for a full tuning.
    """

    values: NDArray[np.float32]
    weights: NDArray[np.float32] | None
    _data: bytes

    @classmethod
    def light(cls, values: NDArray[np.floating], steps: NDArray[np.floating]) -> Tuning:
        """Return the light tuning nearest to values [1 + K, num_styles], one step [1 + K] a row."""
        stored = quantise_light(values, steps)
        return cls(stored.values, None, pack_light(stored))

    @classmethod
    def small(cls, rows: NDArray[np.floating], shares: NDArray[np.floating], step: float) -> Tuning:
        """Return the small tuning nearest to the person's styles and D directions that are shared.

        rows [1 + D, num_styles], shares [K, D] of K controls; `step`: of the rows.
        """
        stored = quantise_small(rows, shares, step)
        return cls(stored.values, None, pack_small(stored))

    def with_weights(self, weights: NDArray[np.floating], step: float) -> Tuning:
        """Return a full tuning: this light one, and the changes of the weights [N] nearest."""
        stored = quantise_full(self._data, weights, step)
        return Tuning(self.values, stored.values, pack_full(stored))

    @classmethod
    def from_bytes(cls, data: bytes, generator: Generator, num_controls: int) -> Tuning:
        """Read a tuning out of a stream or a `.fci` file.

        Raises StreamError when it is damaged or made for another generator or another number of
        controls.
        """
        weights, light, kind = None, data, kind_of(data)
        if kind == SMALL_KIND:
            return cls(parse_small(data, num_controls, generator.num_styles).values, None, data)
        if kind == FULL_KIND:
            full = parse_full(data, sum(tensor_sizes(generator)))
            weights, light = full.values, full.light
        values = parse_light(light, num_controls, generator.num_styles).values
        return cls(values, weights, data)

    def to_bytes(self) -> bytes:
        """Return the bytes that a stream or a `.fci` file carries."""
        return self._data

    @property
    def kind(self) -> str:
        """Return 'small', 'light' or 'full'."""
        return KIND_NAMES[kind_of(self._data)]

    def applied(self, generator: Generator, person: Response) -> tuple[Generator, Response]:
        """Return the generator that draws the tuned person, and the person's tuned response.

        `person` is the response before the tuning. The generator is the one given unless the
        tuning is a full one.
        """
        response = tuned(person, self.values, channel_spread(generator))
        if self.weights is None:
            return generator, response
        return changed(generator, self.weights), response
