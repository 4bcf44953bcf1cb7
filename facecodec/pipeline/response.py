"""How a person answers to controls: identity latent, rig and tuning put together."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.bitstream.responses import parse_light
from facecodec.fit.tuning import Response, channel_spread, tuned
from facecodec.generator.base import Generator
from facecodec.rig.rig import Rig


def response_of(
    generator: Generator, rig: Rig, w_plus: NDArray[np.float32], tuning: bytes | None = None
) -> Response:
    """Return the styles at rest and the effect of the controls of one person.

    `w_plus` [num_ws, 512]; `tuning`: the bytes a stream or `.fci` file carries.
    Raises StreamError for a tuning that is damaged or made for another generator.
    """
    with torch.no_grad():
        latent = torch.from_numpy(w_plus).to(generator.w_mean.device)
        plain = Response(generator.styles(latent[None])[0], rig.basis(generator))
        if tuning is None:
            return plain
        light = parse_light(tuning, len(rig.names), generator.num_styles)
        return tuned(plain, light.values, channel_spread(generator))
