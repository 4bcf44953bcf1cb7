"""The operators in plain torch: what they mean. Faster builds are tested against these.

`Backend` is both the list of all operators and the reference. A faster build is a subclass that
overrides what it computes itself; what it leaves out stays plain torch. Maps are [N, C, H, W],
styles [N, C], all of one floating type and on one device. Networks: MobileStyleGAN (arXiv
2104.04767) and StyleGAN2 (arXiv 1912.04958).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_ops.operands import (
    GAIN,
    LEAK,
    SMOOTH_UP,
    Head,
    MobileBlock,
    ModulatedConv,
    SeparableConv,
    channels_used,
)

_DEMODULATION_EPSILON = 1e-8  # StyleGAN2's own


class Backend:
    """An implementation of all operators; this one is the reference."""

    name = "reference"

    def describe(self) -> str:
        """Return in a few words what computes: vectors and threads, or which GPU."""
        return "plain torch"

    def has_bf16(self) -> bool:
        """Whether any of the operators can multiply in bf16."""
        return False

    @property
    def gradients(self) -> Backend:
        """The backend to use where gradients are wanted."""
        return REFERENCE

    # MobileStyleGAN

    def separable_conv(self, x: Tensor, style: Tensor, conv: SeparableConv) -> Tensor:
        """Scale by style [N, C], depthwise 3x3, pointwise, add noise and bias, leaky ReLU.

        [N, C, H, W] -> [N, D, H, W].
        """
        c = x.shape[1]
        x = F.conv2d(x * style[:, :, None, None], conv.depthwise[:, None], padding=1, groups=c)
        x = F.conv2d(x, conv.pointwise[:, :, None, None], conv.bias)
        return F.leaky_relu(x + conv.noise, LEAK)

    def mobile_block(
        self, x: Tensor, up: Tensor, style1: Tensor, style2: Tensor, block: MobileBlock
    ) -> Tensor:
        """Scale by `up` [N, 4C], inverse Haar transform, two separable convolutions.

        [N, 4C, H, W] -> [N, D, 2H, 2W]; style1 [N, C], style2 [N, channels of the first].

        A `low` block works at its input's size, [N, >= C, H, W] -> [N, D, H, W]. That is what a
        block becomes when its picture is shrunk by two: of the inverse Haar transform only half
        the low bands, the first C channels, is left.
        """
        if block.low:
            low = up.shape[1] // 4
            x = x[:, :low] * (up[:, :low, None, None] * 0.5)
        else:
            x = inverse_haar(x * up[:, :, None, None])
        x = self.separable_conv(x, style1, block.conv1)
        return self.separable_conv(x, style2, block.conv2)

    def to_image(self, x: Tensor, style: Tensor, head: Head) -> Tensor:
        """Scale by style [N, C], 1x1 convolution to a picture in [-1, 1], not clamped.

        To 12 Haar bands and their inverse transform, [N, C, H, W] -> [N, 3, 2H, 2W]; where the
        head makes colours, these: [N, 3, H, W].
        """
        x = F.conv2d(x * style[:, :, None, None], head.weight[:, :, None, None], head.bias)
        return x if head.colours else inverse_haar(x)

    def mobile_network(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
    ) -> Tensor:
        """All blocks and the head: [N, C, H, W] -> pictures [N, 3, ...] in [-1, 1], not clamped.

        styles: `up`, `style1`, `style2` of every block, then the head's.
        """
        return self.to_image(self._features(x, styles, blocks), styles[-1], head)

    def mobile_network_rgb8(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock], head: Head
    ) -> Tensor:
        """Like `mobile_network`, to bytes: [N, H, W, 3] uint8, -1..1 to 0..255, rounded, clamped.

        No gradient flows through bytes.
        """
        return rgb8(self.mobile_network(x, styles, blocks, head))

    def _features(
        self, x: Tensor, styles: Sequence[Tensor], blocks: Sequence[MobileBlock]
    ) -> Tensor:
        """Run all blocks, each only as wide as the next one reads it."""
        for k, (block, used) in enumerate(zip(blocks, channels_used(blocks), strict=True)):
            up, style1, style2 = styles[3 * k : 3 * k + 3]
            x = self.mobile_block(x, up, style1, style2, block.narrowed(used))
        return x

    # Octaves of pictures, which fits compare

    def halved(self, pictures: Tensor) -> Tensor:
        """Average every four pixels: [N, C, H, W] -> [N, C, H/2, W/2]."""
        return F.avg_pool2d(pictures, 2)

    def finer(self, pictures: Tensor, smaller: Tensor) -> Tensor:
        """Return pictures [N, C, H, W] less `smaller` [N, C, H/2, W/2], doubled bilinearly."""
        return pictures - F.interpolate(smaller, size=pictures.shape[2:], mode="bilinear")

    def mean_size(self, pictures: Tensor) -> Tensor:
        """Average absolute values over the channels: [N, C, H, W] -> [N, 1, H, W]."""
        return pictures.abs().mean(1, keepdim=True)

    def apart(self, pictures: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Return the sum of weights [N, 1, H, W] times mean absolute differences, a scalar [].

        Of pictures from their targets, both [N, C, H, W]; the mean is over the channels.
        """
        return ((pictures - targets).abs().mean(1, keepdim=True) * weights).sum()

    # StyleGAN2. Weights are constants: styles scale the activations before a convolution and
    # demodulation scales them after it (section 2.2 of the paper, turned inside out), so that no
    # weight is computed for a frame and no convolution is grouped.

    def upfirdn2d(
        self,
        x: Tensor,
        taps: Sequence[float],
        up: int = 1,
        down: int = 1,
        pad: tuple[int, int] = (0, 0),
    ) -> Tensor:
        """Upsample with zeros, pad, filter rows and columns, keep every `down`th pixel.

        [N, C, H, W] -> [N, C, (H * up + sum(pad) - len(taps)) // down + 1, ...]. `taps` is one
        axis of a separable filter, convolved (not correlated), without a gain for `up`. Padding
        below zero crops. Raises ValueError for more taps than a GPU's kernel takes (32).
        """
        n, c, h, w = x.shape
        if up > 1:
            x = F.pad(x[:, :, :, None, :, None], (0, up - 1, 0, 0, 0, up - 1))
            x = x.reshape(n, c, h * up, w * up)
        kernel = torch.tensor(taps[::-1], dtype=x.dtype, device=x.device).expand(c, 1, 1, -1)
        x = F.pad(x, (*pad, *pad))
        x = F.conv2d(F.conv2d(x, kernel, groups=c), kernel.mT, groups=c)
        return x[:, :, ::down, ::down]

    def double(self, x: Tensor) -> Tensor:
        """Double a picture [N, C, H, W] -> [N, C, 2H, 2W], black beyond its edges.

        Equal to `upfirdn2d(x, SMOOTH_UP, up=2, pad=(2, 1))`: every pixel becomes 3/4 of itself
        and 1/4 of its nearer neighbour, on both axes.
        """
        wide = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear")
        return wide[:, :, 2:-2, 2:-2]

    def bias_act(
        self,
        x: Tensor,
        bias: Tensor,
        noise: Tensor | None = None,
        scale: Tensor | None = None,
        clamp: float | None = None,
    ) -> Tensor:
        """Scale [N, C], add noise [H, W] and bias [C], leaky ReLU times the root of 2, clamp.

        [N, C, H, W] -> [N, C, H, W]; what is None is left out.
        """
        offset = bias[:, None, None]
        x = x + offset if scale is None else torch.addcmul(offset, x, scale[:, :, None, None])
        if noise is not None:
            x = x + noise
        x = F.leaky_relu(x, LEAK) * GAIN
        return x if clamp is None else x.clamp(-clamp, clamp)

    def modulated_conv(self, x: Tensor, style: Tensor, conv: ModulatedConv) -> Tensor:
        """Modulated 3x3 convolution with all that follows it: noise, bias, activation.

        [N, C, H, W] -> [N, D, H, W], or [N, D, 2H, 2W] with `conv.up`; style [N, C].
        """
        x = x * style[:, :, None, None]
        if conv.up:
            x = F.conv_transpose2d(x, conv.weight.transpose(0, 1), stride=2)
            x = self.upfirdn2d(x, SMOOTH_UP, pad=(1, 1))
        else:
            x = F.conv2d(x, conv.weight, padding=1)
        scale = demodulation(style, conv.squares)
        return self.bias_act(x, conv.bias, conv.noise, scale, conv.clamp)

    def modulated_rgb(
        self,
        x: Tensor,
        style: Tensor,
        weight: Tensor,
        bias: Tensor,
        clamp: float | None = None,
        coarse: Tensor | None = None,
    ) -> Tensor:
        """Modulated 1x1 convolution to a picture, not demodulated: [N, C, H, W] -> [N, 3, H, W].

        style [N, C], weight [3, C], bias [3]; `coarse` [N, 3, H / 2, W / 2] is doubled and added
        to what has been clamped.
        """
        n, c, h, w = x.shape
        x = (weight * style[:, None]) @ x.reshape(n, c, h * w) + bias[:, None]
        x = x.reshape(n, -1, h, w)
        x = x if clamp is None else x.clamp(-clamp, clamp)
        return x if coarse is None else self.double(coarse) + x


REFERENCE = Backend()


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


def rgb8(pictures: Tensor) -> Tensor:
    """Pictures [N, 3, H, W] in [-1, 1] to bytes [N, H, W, 3], rounded to even and clamped."""
    levels = pictures.mul(127.5).add_(127.5).round_().clamp_(0, 255)
    return levels.permute(0, 2, 3, 1).contiguous().byte()


def demodulation(style: Tensor, squares: Tensor) -> Tensor:
    """Return the factor [N, D] that brings every output channel back to unit size.

    style [N, C], squares [D, C]: 1 / sqrt(sum over C of style² squares), equation 3 of StyleGAN2.
    """
    return torch.rsqrt(style.square() @ squares.T + _DEMODULATION_EPSILON)
