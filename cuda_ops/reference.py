"""The operators in plain torch: what they mean. The fast builds are tested against these."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

LEAK = 0.2


@dataclass(frozen=True)
class SeparableConv:
    """Constants of one modulated separable convolution.

    depthwise [C, 3, 3], pointwise [D, C] (demodulation baked in), noise [H, W], bias [D].
    """

    depthwise: Tensor
    pointwise: Tensor
    noise: Tensor
    bias: Tensor


def inverse_haar(x: Tensor) -> Tensor:
    """Inverse Haar transform: [N, 4C, H, W] -> [N, C, 2H, 2W].

    The first C channels are the low band; the other 3C hold, per channel, lh, hl, hh.
    y[2i+a, 2j+b] = (ll ± lh ± hl ± hh) / 2: lh changes sign with a, hl with b, hh with both.
    """
    n, c4, h, w = x.shape
    c = c4 // 4
    ll = x[:, :c]
    lh, hl, hh = x[:, c:].reshape(n, c, 3, h, w).unbind(2)
    top, bottom = ll + lh, ll - lh
    right_top, right_bottom = hl + hh, hl - hh
    rows = torch.stack(
        (
            torch.stack((top + right_top, top - right_top), -1),
            torch.stack((bottom + right_bottom, bottom - right_bottom), -1),
        ),
        -3,
    )
    return rows.reshape(n, c, 2 * h, 2 * w) * 0.5


def separable_conv(x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
    """Scale by style [N, C], depthwise 3x3, pointwise, add noise and bias, leaky ReLU.

    [N, C, H, W] -> [N, D, H, W].
    """
    c = x.shape[1]
    x = F.conv2d(x * style[:, :, None, None], conv.depthwise[:, None], padding=1, groups=c)
    x = F.conv2d(x, conv.pointwise[:, :, None, None], conv.bias)
    return F.leaky_relu(x + conv.noise, LEAK)


def mobile_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block of MobileStyleGAN (arXiv 2104.04767): [N, 4C, H, W] -> [N, D, 2H, 2W].

    Scale by `up` [N, 4C], inverse Haar, then two modulated separable convolutions.
    """
    x = inverse_haar(x * up[:, :, None, None])
    x = separable_conv(x, style1, conv1)
    return separable_conv(x, style2, conv2)


def low_block(
    x: Tensor,
    up: Tensor,
    style1: Tensor,
    style2: Tensor,
    conv1: SeparableConv,
    conv2: SeparableConv,
) -> Tensor:
    """One block at its input's size, on low bands alone: [N, >= C, H, W] -> [N, D, H, W].

    What `mobile_block` becomes when its picture is shrunk by two: of the inverse Haar transform
    only half the low bands, the first C channels, is left. `up` [N, 4C].
    """
    low = up.shape[1] // 4
    x = x[:, :low] * (up[:, :low, None, None] * 0.5)
    x = separable_conv(x, style1, conv1)
    return separable_conv(x, style2, conv2)


def to_image(x: Tensor, style: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Final 1x1 convolution to 12 Haar bands and inverse Haar: [N, C, H, W] -> [N, 3, 2H, 2W].

    style [N, C], weight [12, C], bias [12]; the result lies in [-1, 1], not clamped. With weight
    [3, C] and bias [3] the convolution's colours are the picture: [N, 3, H, W].
    """
    x = F.conv2d(x * style[:, :, None, None], weight[:, :, None, None], bias)
    return x if len(weight) == 3 else inverse_haar(x)


def rgb8(pictures: Tensor) -> Tensor:
    """Pictures [N, 3, H, W] in [-1, 1] to bytes [N, H, W, 3], rounded to even and clamped."""
    levels = pictures.mul(127.5).add_(127.5).round_().clamp_(0, 255)
    return levels.permute(0, 2, 3, 1).contiguous().byte()
