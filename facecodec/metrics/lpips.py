"""LPIPS (Zhang et al. 2018, arXiv 1801.03924), version 0.1 on AlexNet.

torchmetrics has it too, but takes its backbone through torchvision; this needs the weights alone.
Backbone: torchvision's AlexNet file. The five linear heads ship with torchmetrics.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (key in the backbone's file, channels in, out, kernel, stride, padding, pool before)
LAYERS = (
    ("features.0", 3, 64, 11, 4, 2, False),
    ("features.3", 64, 192, 5, 1, 2, True),
    ("features.6", 192, 384, 3, 1, 1, True),
    ("features.8", 384, 256, 3, 1, 1, False),
    ("features.10", 256, 256, 3, 1, 1, False),
)
# Mean and standard deviation of ImageNet's colours, for pictures in [-1, 1].
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
EPSILON = 1e-10  # added to a length before it is divided by


class Lpips(nn.Module):
    """The distance of two pictures [N, 3, H, W] in [-1, 1], both at least 64 pixels a side."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, kernel, stride, padding)
            for _, i, o, kernel, stride, padding, _ in LAYERS
        )
        self.heads = nn.ParameterList(torch.zeros(layer[2]) for layer in LAYERS)
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def of(cls, backbone: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Lpips:
        """Build from torchvision's AlexNet tensors and those of the published heads, [...] each.

        Raises KeyError or RuntimeError for tensors of another network.
        """
        network = cls()
        state = {}
        for i, (key, *_) in enumerate(LAYERS):
            state[f"convs.{i}.weight"] = backbone[f"{key}.weight"]
            state[f"convs.{i}.bias"] = backbone[f"{key}.bias"]
            state[f"heads.{i}"] = heads[f"lin{i}.model.1.weight"].flatten()
        network.load_state_dict(state)
        return network.eval().requires_grad_(False)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Return five activations [N, C, H, W] of pictures [N, 3, H, W], of unit length in C."""
        x = (pictures - self.shift) / self.scale
        activations = []
        for conv, layer in zip(self.convs, LAYERS, strict=True):
            x = F.max_pool2d(x, 3, 2) if layer[-1] else x
            x = F.relu(conv(x))
            activations.append(x / (x.square().sum(1, keepdim=True).sqrt() + EPSILON))
        return activations

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distances [N] of pictures `a` and `b`, [N, 3, H, W] each, in [-1, 1]."""
        total = a.new_zeros(len(a))
        pairs = zip(self.heads, self.features(a), self.features(b), strict=True)
        for head, x, y in pairs:
            total = total + ((x - y).square() * head.view(1, -1, 1, 1)).sum(1).mean((1, 2))
        return total
