"""The operators of StyleGAN2 (arXiv 1912.04958) in plain torch: what they mean.

Weights are constants: styles scale the activations before the convolution and demodulation scales
them after it (section 2.2 of the paper, turned inside out), so that no weight is made anew for a
frame and no convolution is grouped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

LEAK = 0.2
GAIN = 2.0**0.5
EPSILON = 1e-8
SMOOTH = (0.125, 0.375, 0.375, 0.125)  # the low-pass filter [1, 3, 3, 1] / 8


@dataclass(frozen=True)
class ModulatedConv:
    """Constants of one modulated 3x3 convolution.

    weight [D, C, 3, 3]; squares [D, C], the sums of its squares over the taps; bias [D]; noise
    [H, W] of the output's size, its strength folded in, or None; `up` doubles the picture; outputs
    are clamped to plus or minus `clamp` where that is not None.
    """

    weight: Tensor
    squares: Tensor
    bias: Tensor
    noise: Tensor | None
    up: bool
    clamp: float | None = None


def upfirdn2d(
    x: Tensor, taps: Sequence[float], up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """Upsample with zeros, pad, filter along rows and columns, and keep every `down`th pixel.

    [N, C, H, W] -> [N, C, (H * up + sum(pad) - len(taps)) // down + 1, ...]. `taps` is one axis of
    a separable filter, convolved (not correlated), and is used as it is: no gain for `up`.
    """
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x[:, :, :, None, :, None], (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(n, c, h * up, w * up)
    kernel = torch.tensor(taps[::-1], dtype=x.dtype, device=x.device).expand(c, 1, 1, -1)
    x = F.pad(x, (*pad, *pad))
    x = F.conv2d(F.conv2d(x, kernel, groups=c), kernel.mT, groups=c)
    return x[:, :, ::down, ::down]


def double(x: Tensor) -> Tensor:
    """Double a picture [N, C, H, W] -> [N, C, 2H, 2W], black beyond its edges.

    Equal to `upfirdn2d(x, 2 * SMOOTH, up=2, pad=(2, 1))`: every pixel becomes 3/4 of itself and
    1/4 of its nearer neighbour, on both axes.
    """
    wide = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear")
    return wide[:, :, 2:-2, 2:-2]


def bias_act(
    x: Tensor,
    bias: Tensor,
    noise: Tensor | None = None,
    scale: Tensor | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Scale [N, C], add noise [H, W] and bias [C], leaky ReLU 0.2 times the root of 2, clamp.

    [N, C, H, W] -> [N, C, H, W]; what is None is left out.
    """
    offset = bias[:, None, None]
    x = x + offset if scale is None else torch.addcmul(offset, x, scale[:, :, None, None])
    if noise is not None:
        x = x + noise
    x = F.leaky_relu(x, LEAK) * GAIN
    return x if clamp is None else x.clamp(-clamp, clamp)


def demodulation(style: Tensor, squares: Tensor) -> Tensor:
    """Return the factor [N, D] that brings every output channel back to unit size.

    style [N, C], squares [D, C]: 1 / sqrt(sum over C of style² squares), equation 3 of the paper.
    """
    return torch.rsqrt(style.square() @ squares.T + EPSILON)


def modulated_conv(x: Tensor, style: Tensor, conv: ModulatedConv) -> Tensor:
    """Modulated 3x3 convolution with all that follows it: noise, bias, activation.

    [N, C, H, W] -> [N, D, H, W], or [N, D, 2H, 2W] with `conv.up`; style [N, C].
    """
    x = x * style[:, :, None, None]
    if conv.up:
        x = F.conv_transpose2d(x, conv.weight.transpose(0, 1), stride=2)
        x = upfirdn2d(x, [2 * tap for tap in SMOOTH], pad=(1, 1))
    else:
        x = F.conv2d(x, conv.weight, padding=1)
    return bias_act(x, conv.bias, conv.noise, demodulation(style, conv.squares), conv.clamp)


def modulated_rgb(
    x: Tensor,
    style: Tensor,
    weight: Tensor,
    bias: Tensor,
    clamp: float | None = None,
    coarse: Tensor | None = None,
) -> Tensor:
    """Modulated 1x1 convolution to a picture, not demodulated: [N, C, H, W] -> [N, 3, H, W].

    style [N, C], weight [3, C], bias [3]; `coarse` [N, 3, H / 2, W / 2] is doubled and added to
    what has been clamped.
    """
    n, c, h, w = x.shape
    x = (weight * style[:, None]) @ x.reshape(n, c, h * w) + bias[:, None]
    x = x.reshape(n, -1, h, w)
    x = x if clamp is None else x.clamp(-clamp, clamp)
    return x if coarse is None else double(coarse) + x
