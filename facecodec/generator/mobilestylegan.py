"""MobileStyleGAN (arXiv 2104.04767): StyleGAN2 distilled into separable convolutions.

Demodulation and noise are constants of the network, so a picture depends on its styles alone, and
any frames can be rendered in one batch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import cuda_ops
from facecodec.errors import ModelError
from facecodec.generator.base import Generator, StyleLayer

BLOCKS = 7
MAPPING_LAYERS = 8
EPSILON = 1e-8  # added to the mean square of z before it is divided by
PREVIEW_BLOCKS = {256: 6, 128: 5, 64: 4}  # picture size -> blocks run at their own resolution
MIDDLE_BLOCKS = 4  # blocks before the middle, see `Generator.middle_features`
LOW_BAND_GAIN = 0.5  # of a colour's low band of the Haar wavelet, which is twice the mean
_CONV_PARTS = ("depthwise", "weight", "bias", "noise")
_AFFINE_PARTS = ("weight", "bias")
# Taps (a, b, c) of a filter -> taps of the filter that does the same to signals of half the rate.
HALVE = torch.tensor([[0.5, 0.0, 0.0], [0.5, 1.0, 0.5], [0.0, 0.0, 0.5]])


class MobileStyleGAN(Generator):
    """The default generator: 1024x1024, 16 rows of W+, 23 style layers of 6752 channels in all."""

    resolution = 1024
    num_ws = 2 * BLOCKS + 2
    preview_sizes = tuple(PREVIEW_BLOCKS)

    def __init__(self, tensors: Mapping[str, Tensor], name: str, sha256: str) -> None:
        """Make the network of `tensors`, of shapes [...] as in the original; see `from_tensors`."""
        super().__init__()
        self.name, self.sha256 = name, sha256
        for key, value in tensors.items():
            self.register_buffer(key.replace(".", "_"), value.float().contiguous())
        self.layers = tuple(self._list_layers())
        self.num_styles = sum(layer.size for layer in self.layers)
        convs = [f"{k}.{conv}" for k in range(BLOCKS) for conv in ("conv1", "conv2")]
        parts = ("depthwise", "weight", "bias")
        names = [f"{conv}.{part}" for conv in convs for part in parts]
        self.tunable = (*names, "to_img.weight", "to_img.bias")
        last = f"{MIDDLE_BLOCKS - 1}.conv2"
        self.middle = self._tensor(f"{last}.bias").numel(), 4 << MIDDLE_BLOCKS

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor | np.ndarray], name: str, sha256: str
    ) -> MobileStyleGAN:
        """Build the network from the tensors `facecodec.weights.openvino_ir.convert` returns.

        `sha256` is that of the tensors, of shapes [...] as in the original. Raises ModelError when
        one is missing.
        """
        as_torch = {k: torch.as_tensor(v) for k, v in tensors.items()}
        try:
            return cls(as_torch, name, sha256)
        except AttributeError as error:
            raise ModelError(f"{name} is not a MobileStyleGAN: {error}") from error

    def _tensor(self, key: str) -> Tensor:
        """Return a tensor [...] by its original name."""
        value: Tensor = getattr(self, key.replace(".", "_"))
        return value

    def tunable_tensor(self, name: str) -> Tensor:
        """Return one of the `tunable` tensors: filters [C, 3, 3], weights [O, C] or a bias [O].

        Raises AttributeError for a name that is not in the network.
        """
        return self._tensor(name)

    def drawing_tensors(self) -> dict[str, Tensor]:
        """Return the tensors that a picture of W+ takes, [...] each, by their original names.

        All but those of the mapping network.
        """
        convs = [f"{k}.{conv}" for k in range(BLOCKS) for conv in ("conv1", "conv2")]
        names = ["w_mean", "input", "conv1.weight", "conv1.bias", "conv1.noise"]
        names += [f"{conv}.{part}" for conv in convs for part in _CONV_PARTS]
        names += ["to_img.weight", "to_img.bias"]
        names += [f"{layer.name}.affine.{part}" for layer in self.layers for part in _AFFINE_PARTS]
        return {name: self._tensor(name) for name in names}

    def changed(self, tensors: Mapping[str, Tensor]) -> MobileStyleGAN:
        """Return a generator that shares all but these tunable tensors, [...], with this one."""
        other = copy.copy(self)
        other._buffers = {**self._buffers, **{k.replace(".", "_"): v for k, v in tensors.items()}}
        return other

    def _list_layers(self) -> list[StyleLayer]:
        entries = [("conv1", 0, 4)]
        for k in range(BLOCKS):
            entries += [
                (f"{k}.up", 2 * k + 1, 4 << k),
                (f"{k}.conv1", 2 * k + 1, 8 << k),
                (f"{k}.conv2", 2 * k + 2, 8 << k),
            ]
        entries.append(("to_img", self.num_ws - 1, 4 << BLOCKS))
        layers, offset = [], 0
        for name, row, resolution in entries:
            size = self._tensor(f"{name}.affine.bias").numel()
            layers.append(StyleLayer(name, offset, size, row, resolution))
            offset += size
        return layers

    def mapping(self, z: Tensor) -> Tensor:
        """Map normal noise z [N, w_dim] to w [N, w_dim]: unit mean square, then dense layers."""
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + EPSILON)
        for i in range(MAPPING_LAYERS):
            x = F.linear(x, self._tensor(f"mapping.{i}.weight"), self._tensor(f"mapping.{i}.bias"))
            x = F.leaky_relu(x, cuda_ops.LEAK) * cuda_ops.GAIN
        return x

    def styles(self, w_plus: Tensor) -> Tensor:
        """Return the styles [N, num_styles] of identity latents [N, num_ws, w_dim]."""
        parts = []
        for layer in self.layers:
            weight = self._tensor(f"{layer.name}.affine.weight")
            bias = self._tensor(f"{layer.name}.affine.bias")
            parts.append(F.linear(w_plus[:, layer.ws_index], weight, bias))
        return torch.cat(parts, 1)

    def features(self, styles: Tensor, blocks: int = BLOCKS) -> Tensor:
        """Return the features [N, C, 4 << blocks, 4 << blocks] after the first `blocks` blocks.

        Of styles [N, num_styles].
        """
        s = self._by_layer(styles)
        x = self._tensor("input") * s["conv1"][:, :, None, None]
        x = F.conv2d(x, self._tensor("conv1.weight"), self._tensor("conv1.bias"), padding=1)
        x = F.leaky_relu(x + self._tensor("conv1.noise"), cuda_ops.LEAK)
        for k in range(blocks):
            x = cuda_ops.mobile_block(
                x, s[f"{k}.up"], s[f"{k}.conv1"], s[f"{k}.conv2"], self._block(k)
            )
        return x

    def _block(self, k: int) -> cuda_ops.MobileBlock:
        return cuda_ops.MobileBlock(self._conv(f"{k}.conv1"), self._conv(f"{k}.conv2"))

    def _conv(self, name: str) -> cuda_ops.SeparableConv:
        return cuda_ops.SeparableConv(
            self._tensor(f"{name}.depthwise"),
            self._tensor(f"{name}.weight"),
            self._tensor(f"{name}.noise"),
            self._tensor(f"{name}.bias"),
        )

    def synthesize(self, styles: Tensor) -> Tensor:
        """Render styles [N, num_styles] to pictures [N, 3, 1024, 1024] in [-1, 1], not clamped."""
        return cuda_ops.mobile_network(*self.network(styles))

    def synthesize_rgb8(self, styles: Tensor) -> Tensor:
        """Render styles [N, num_styles] to uint8 [N, 1024, 1024, 3], fused with the last block."""
        return cuda_ops.mobile_network_rgb8(*self.network(styles))

    def shrunk_rgb8(self, styles: Tensor, size: int) -> Tensor:
        """Render styles [N, num_styles] to uint8 [N, size, size, 3], size at most 512.

        The picture ends in an inverse Haar transform, whose low bands are the means of each four
        pixels: the other bands, and the transform, are left out.
        """
        with cuda_ops.roughly():
            low = cuda_ops.mobile_network(*self.network(styles, low=True))
        half = self.resolution // 2
        return cuda_ops.rgb8(low if size == half else F.avg_pool2d(low, half // size))

    def preview(self, styles: Tensor, size: int) -> Tensor:
        """Render styles [N, num_styles] to small pictures [N, 3, size, size].

        The last blocks run at the low resolution, on low bands alone: 32 to 36 dB at 256 and 28 to
        31 dB at 128 against the shrunk full picture. Every style layer keeps its effect, so a
        latent can be fitted on previews alone. Raises ValueError for a size without a preview.
        """
        if size not in PREVIEW_BLOCKS:
            raise ValueError(f"no preview of size {size}; there are {self.preview_sizes}")
        return cuda_ops.mobile_network(*self.network(styles, PREVIEW_BLOCKS[size]))

    def middle_features(self, styles: Tensor) -> Tensor:
        """Return the features [N, C, S, S] in the middle of the network, of styles [N, num_styles].

        `middle` is (C, S).
        """
        return self.features(styles, MIDDLE_BLOCKS)

    def drawn_from_middle(self, styles: Tensor, weight: Tensor) -> Tensor:
        """Return a linear map of `middle_features`, as pictures, of styles [N, num_styles].

        weight [3, C] makes a pixel of each feature: [N, 3, S, S]; [12, C] makes the Haar bands of
        four: [N, 3, 2 S, 2 S].
        """
        x, scales, blocks, _ = self.network(styles)
        head = cuda_ops.Head(weight, weight.new_zeros(len(weight)))
        plain = weight.new_ones(1, 1).expand(len(styles), weight.shape[1])
        own = [*scales[: 3 * MIDDLE_BLOCKS], plain]
        return cuda_ops.mobile_network(x, own, blocks[:MIDDLE_BLOCKS], head)

    def network(
        self, styles: Tensor, blocks: int = BLOCKS, low: bool = False
    ) -> tuple[Tensor, list[Tensor], list[cuda_ops.MobileBlock], cuda_ops.Head]:
        """Return what `cuda_ops.mobile_network` takes for styles [N, num_styles].

        The input's features, the scales of every layer, the constants of every block and those of
        the last layer. Blocks from `blocks` on run at the resolution reached there. low: the last
        layer makes the means of each four pixels, as it does then.
        """
        s = self._by_layer(styles)
        side = 4 << blocks
        constants = [
            cuda_ops.MobileBlock(
                self._small_conv(f"{k}.conv1", side), self._small_conv(f"{k}.conv2", side), True
            )
            if k >= blocks
            else self._block(k)
            for k in range(BLOCKS)
        ]
        weight, bias = self._tensor("to_img.weight"), self._tensor("to_img.bias")
        if low or blocks < BLOCKS:
            weight, bias = weight[:3] * LOW_BAND_GAIN, bias[:3] * LOW_BAND_GAIN
        scales = [s[layer.name] for layer in self.layers[1:]]
        return self.features(styles, 0), scales, constants, cuda_ops.Head(weight, bias)

    def _by_layer(self, styles: Tensor) -> dict[str, Tensor]:
        """Return styles [N, num_styles] by the name of their layer, [N, size] each."""
        parts = styles.split([layer.size for layer in self.layers], 1)
        return dict(zip((layer.name for layer in self.layers), parts, strict=True))

    def _small_conv(self, name: str, side: int) -> cuda_ops.SeparableConv:
        """Return a convolution's constants for maps of `side` pixels, averaged down by halves."""
        conv = self._conv(name)
        halvings = (conv.noise.shape[-1] // side).bit_length() - 1
        if halvings <= 0:
            return conv
        depthwise = cuda_ops.once(conv.depthwise, _halve_taps, halvings)
        noise = cuda_ops.once(conv.noise, _halve_noise, halvings)
        return replace(conv, depthwise=depthwise, noise=noise)


def _halve_taps(depthwise: Tensor, times: int) -> Tensor:
    """Return filters [C, 3, 3] that act on maps halved `times` times as these on whole ones."""
    halve = HALVE.to(depthwise)
    for _ in range(times):
        depthwise = torch.einsum("pi,cij,qj->cpq", halve, depthwise, halve)
    return depthwise


def _halve_noise(noise: Tensor, times: int) -> Tensor:
    """Average noise [H, W] to half its size this many times."""
    for _ in range(times):
        noise = F.avg_pool2d(noise[None], 2)[0]
    return noise
