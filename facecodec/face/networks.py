"""What the small networks of this project share: their layers, and how they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution and its batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    )


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution, its batch normalisation and a ReLU."""
    return nn.Sequential(*convolution(inputs, outputs, stride), nn.ReLU())


class UNet(nn.Module):
    """Pictures [N, 3, S, S] to features [N, C, S / 2, S / 2].

    A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) whose first feature map has half the
    picture's side.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        """`widths`: channels of the feature maps, from half of the side down; C is the first."""
        super().__init__()
        pairs = list(zip(widths, widths[1:], strict=False))
        first = widths[0]
        self.stem = nn.Sequential(block(3, first, 2), block(first, first))
        self.down = nn.ModuleList(nn.Sequential(block(a, b, 2), block(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(block(b + a, a) for a, b in pairs)

    def features(self, pictures: Tensor) -> Tensor:
        """Return the features [N, C, S / 2, S / 2] of pictures [N, 3, S, S] in [-1, 1]."""
        x: Tensor = self.stem(pictures)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = up(torch.cat([F.interpolate(x, scale_factor=2), skip], 1))
        return x


def load_network(network: Network, package: str, name: str) -> Network:
    """Return a network for inference, with the weights in a file that ships with a package.

    Its batch normalisations become part of the convolutions before them, and its weights lie in
    memory as pictures do: twice as fast on a processor.
    """
    stored = load((files(package) / name).read_bytes())
    weights = {k: torch.from_numpy(v.astype(np.float32)) for k, v in stored.items()}
    counters = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    network.load_state_dict({**counters, **weights})  # training alone needs those counters
    network.eval().requires_grad_(False)
    _fold(network)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def _fold(network: nn.Module) -> None:
    """Make every batch normalisation that follows a convolution part of it."""
    for child in network.children():
        if isinstance(child, nn.Sequential):
            for i in range(len(child) - 1):
                first, second = child[i], child[i + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    child[i], child[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
        _fold(child)
