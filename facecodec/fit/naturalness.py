"""Naturalness: how far a latent is from those that the mapping network makes.

A fit can leave W along directions in which no face of the generator's differs: the picture comes
nearer to the frame and looks less like a photograph. Irises go first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.generator.sampling import draw_latents

SAMPLES = 8000  # latents drawn to measure the spread of W
SEED = 3  # of that draw


class Naturalness:
    """Measures rows of W+ by the spread of W along given directions, drawn once."""

    def __init__(self, generator: Generator, directions: Tensor) -> None:
        """`directions` [w_dim, w_dim] are a basis of W, a direction a row."""
        self.centre = generator.w_mean
        self.to_amounts = torch.linalg.inv(directions)
        samples = draw_latents(generator, SAMPLES, SEED, truncation=1.0)
        self.spread = self._amounts(samples).std(0)

    def _amounts(self, latents: Tensor) -> Tensor:
        """Return how far latents [N, w_dim] go along every direction, same shape."""
        amounts: Tensor = (latents - self.centre) @ self.to_amounts
        return amounts

    def excess(self, w_plus: Tensor) -> Tensor:
        """Return by how much the rows of a latent [num_ws, w_dim] are too far out, a scalar [].

        The mean squared standard score of a row over its amounts is 1 for the usual w; what is
        above that is averaged over the rows.
        """
        scores = (self._amounts(w_plus) / self.spread).square().mean(1)
        return F.relu(scores - 1).mean()
