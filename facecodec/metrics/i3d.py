"""I3D (Carreira, Zisserman 2017, arXiv 1705.07750), RGB, Kinetics-400: the network of FVD.

Tensors are named as in the file `rgb_imagenet.pt` of the pytorch-i3d repository.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUM_CLASSES = 400  # whose scores are the features
INPUT_SIZE = 224  # side in pixels of the frames that the network reads
CLIP_FRAMES = 16  # of a clip


def _padded(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Pad features [N, C, T, H, W] with zeros as TensorFlow's SAME does."""
    edges: list[int] = []
    for size, k, s in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        missing = max((-(-size // s) - 1) * s + k - size, 0)
        edges += [missing // 2, missing - missing // 2]
    return F.pad(x, edges)


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU; the network's last one is a convolution alone."""

    def __init__(
        self, before: int, after: int, kernel: int = 1, stride: int = 1, bare: bool = False
    ) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv3d = nn.Conv3d(before, after, kernel, stride, bias=bare)
        self.bn = None if bare else nn.BatchNorm3d(after, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation [N, after, T, H, W] of features [N, before, T, H, W], strided."""
        x = self.conv3d(_padded(x, self.kernel, self.stride))
        return x if self.bn is None else F.relu(self.bn(x))


def _pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Return the maxima of features [N, C, T, H, W], padded as TensorFlow's SAME does."""
    return F.max_pool3d(_padded(x, kernel, stride), kernel, stride)


class Mixed(nn.Module):
    """Inception's block in three dimensions."""

    def __init__(self, before: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, three_1, three_2, other_1, other_2, pool = widths
        self.b0 = Unit(before, one)
        self.b1a, self.b1b = Unit(before, three_1), Unit(three_1, three_2, 3)
        self.b2a, self.b2b = Unit(before, other_1), Unit(other_1, other_2, 3)
        self.b3b = Unit(before, pool)

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches of features [N, before, T, H, W] along the channels."""
        pooled = _pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat(
            [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1
        )


class I3D(nn.Module):
    """Clips [N, 3, T, H, W] in [-1, 1], T at least 16, to class scores [N, 400], mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1, self.Conv3d_2c_3x3 = Unit(64, 64), Unit(64, 192, 3)
        self.Mixed_3b = Mixed(192, (64, 96, 128, 16, 32, 32))
        self.Mixed_3c = Mixed(256, (128, 128, 192, 32, 96, 64))
        self.Mixed_4b = Mixed(480, (192, 96, 208, 16, 48, 64))
        self.Mixed_4c = Mixed(512, (160, 112, 224, 24, 64, 64))
        self.Mixed_4d = Mixed(512, (128, 128, 256, 24, 64, 64))
        self.Mixed_4e = Mixed(512, (112, 144, 288, 32, 64, 64))
        self.Mixed_4f = Mixed(528, (256, 160, 320, 32, 128, 128))
        self.Mixed_5b = Mixed(832, (256, 160, 320, 32, 128, 128))
        self.Mixed_5c = Mixed(832, (384, 192, 384, 48, 128, 128))
        self.logits = Unit(1024, NUM_CLASSES, bare=True)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the class scores [N, 400] of clips [N, 3, T, H, W] in [-1, 1]."""
        n, c, t = clips.shape[:3]
        flat = clips.transpose(1, 2).reshape(n * t, c, *clips.shape[3:])
        flat = F.interpolate(flat, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", align_corners=False)
        x = flat.reshape(n, t, c, INPUT_SIZE, INPUT_SIZE).transpose(1, 2)
        flat_pool, half = (1, 3, 3), (1, 2, 2)
        x = _pool(self.Conv3d_1a_7x7(x), flat_pool, half)
        x = _pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), flat_pool, half)
        x = _pool(self.Mixed_3c(self.Mixed_3b(x)), (3, 3, 3), (2, 2, 2))
        x = self.Mixed_4f(self.Mixed_4e(self.Mixed_4d(self.Mixed_4c(self.Mixed_4b(x)))))
        x = self.Mixed_5c(self.Mixed_5b(_pool(x, (2, 2, 2), (2, 2, 2))))
        x = F.avg_pool3d(x, (2, *x.shape[3:]), 1)  # 7x7 at the published side
        result: Tensor = self.logits(x)[..., 0, 0].mean(2)
        return result
