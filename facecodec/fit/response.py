"""A person as a fit sees them: styles at rest, and how these respond to the controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.generator.base import Generator

W_STD = 0.5  # standard deviation of a coordinate of W, about


@dataclass
class Response:
    """A person's styles at controls 0, and the effect of the controls on them.

    `styles` [num_styles], `basis` [num_controls, num_styles]: the person at any controls
    [num_controls] has the styles `styles + controls @ basis`.
    """

    styles: Tensor
    basis: Tensor


def channel_spread(generator: Generator) -> Tensor:
    """Return the unit of a tuning for every channel, [num_styles].

    `W_STD` times the norm of the channel's row in its affine layer: the channel's standard
    deviation if W were white, which it nearly is.
    """
    width = generator.w_dim
    rows = torch.zeros(width + 1, generator.num_ws, width, device=generator.w_mean.device)
    rows[torch.arange(width), :, torch.arange(width)] = 1.0
    with torch.no_grad():
        styles = generator.styles(rows)
        spread: Tensor = W_STD * (styles[:-1] - styles[-1]).norm(dim=0)
    return spread


def tuned(response: Response, values: NDArray[np.float32], spread: Tensor) -> Response:
    """Return a response with a light tuning added.

    `values` [1 + num_controls, num_styles] change the styles (row 0) and the basis, in units of
    `spread` [num_styles].
    """
    added = torch.from_numpy(values).to(spread.device) * spread
    return Response(response.styles + added[0], response.basis + added[1:])
