"""How a person answers to controls: generator, identity latent, rig and tuning put together."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.bitstream.coding.full_tuning import FULL, kind_of, parse_full
from facecodec.bitstream.coding.light_tuning import parse_light
from facecodec.fit.response import Response, channel_spread, tuned
from facecodec.fit.weight_tuning import changed, tensor_sizes
from facecodec.generator.base import Generator
from facecodec.rig.rig import Rig


def response_of(
    generator: Generator, rig: Rig, w_plus: NDArray[np.float32], tuning: bytes | None = None
) -> tuple[Generator, Response]:
    """Return the generator that draws a person, and their styles at rest with the controls' effect.

    `w_plus` [num_ws, 512]; `tuning`: the bytes a stream or `.fci` file carries. The generator is
    the one given unless the tuning is a full one.
    Raises StreamError for a tuning that is damaged or made for another generator.
    """
    with torch.no_grad():
        latent = torch.from_numpy(w_plus).to(generator.w_mean.device)
        plain = Response(generator.styles(latent[None])[0], rig.basis(generator))
        if tuning is None:
            return generator, plain
        drawn = generator
        if kind_of(tuning) == FULL:
            full = parse_full(tuning, sum(tensor_sizes(generator)))
            drawn, tuning = changed(generator, full.values), full.light
        light = parse_light(tuning, len(rig.names), generator.num_styles)
        return drawn, tuned(plain, light.values, channel_spread(generator))
