"""A person as a fit sees them: styles at rest, and how these answer to the controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.generator.base import Generator


@dataclass
class Response:
    """A person's styles at rest [num_styles] and the effect of the controls [35, num_styles]."""

    styles: Tensor
    basis: Tensor


def channel_spread(generator: Generator) -> Tensor:
    """Return the unit of a tuning for every channel, [num_styles].

    Half the norm of the channel's row in its affine layer: its standard deviation if W were white
    with a standard deviation of one half, near what it is.
    """
    width = generator.w_dim
    rows = torch.zeros(width + 1, generator.num_ws, width, device=generator.w_mean.device)
    rows[torch.arange(width), :, torch.arange(width)] = 1.0
    with torch.no_grad():
        styles = generator.styles(rows)
        return 0.5 * (styles[:-1] - styles[-1]).norm(dim=0)


def tuned(response: Response, values: NDArray[np.float32], spread: Tensor) -> Response:
    """Return a response with a tuning's values [36, num_styles] added, in units of the spread."""
    added = torch.from_numpy(values).to(spread.device) * spread
    return Response(response.styles + added[0], response.basis + added[1:])
