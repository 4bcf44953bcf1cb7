"""MobileStyleGAN (arXiv 2104.04767): StyleGAN2 distilled into separable convolutions.

Demodulation and noise are constants of the network, so that the picture is a deterministic
function of the styles and frames batch freely.
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
PREVIEW_BLOCKS = {256: 6, 128: 5, 64: 4}  # picture size -> blocks run at their own resolution
# Taps (a, b, c) of a filter -> taps of the filter that acts alike on signals of half the rate.
HALVE = torch.tensor([[0.5, 0.0, 0.0], [0.5, 1.0, 0.5], [0.0, 0.0, 0.5]])


class MobileStyleGAN(Generator):
    """The default generator: 1024x1024, 16 W+ rows, 23 style layers, 6752 channels."""

    resolution = 1024
    num_ws = 2 * BLOCKS + 2
    preview_sizes = tuple(PREVIEW_BLOCKS)

    def __init__(self, tensors: Mapping[str, Tensor], name: str, sha256: str) -> None:
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

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor | np.ndarray], name: str, sha256: str
    ) -> MobileStyleGAN:
        """Build the network from the tensors `facecodec.weights.openvino_ir.convert` returns.

        Raises ModelError when one is missing.
        """
        as_torch = {k: torch.as_tensor(v) for k, v in tensors.items()}
        try:
            return cls(as_torch, name, sha256)
        except AttributeError as error:
            raise ModelError(f"{name} is not a MobileStyleGAN: {error}") from error

    def _tensor(self, key: str) -> Tensor:
        value: Tensor = getattr(self, key.replace(".", "_"))
        return value

    def tunable_tensor(self, name: str) -> Tensor:
        """Return one of the `tunable` tensors: a filter, a product's weights or a bias."""
        return self._tensor(name)

    def changed(self, tensors: Mapping[str, Tensor]) -> MobileStyleGAN:
        """Return a generator that shares all but these tunable tensors with this one."""
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
        """Map normal noise z [N, 512] to w [N, 512]: pixel norm, then eight layers."""
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for i in range(8):
            x = F.linear(x, self._tensor(f"mapping.{i}.weight"), self._tensor(f"mapping.{i}.bias"))
            x = F.leaky_relu(x, 0.2) * 2**0.5
        return x

    def styles(self, w_plus: Tensor) -> Tensor:
        """Return the style vectors [N, 6752] of identity latents [N, 16, 512]."""
        parts = []
        for layer in self.layers:
            weight = self._tensor(f"{layer.name}.affine.weight")
            bias = self._tensor(f"{layer.name}.affine.bias")
            parts.append(F.linear(w_plus[:, layer.ws_index], weight, bias))
        return torch.cat(parts, 1)

    def features(self, styles: Tensor, blocks: int = BLOCKS) -> Tensor:
        """Run the first `blocks` blocks: [N, C, 4 << blocks, 4 << blocks]."""
        s = self._by_layer(styles)
        x = self._tensor("input") * s["conv1"][:, :, None, None]
        x = F.conv2d(x, self._tensor("conv1.weight"), self._tensor("conv1.bias"), padding=1)
        x = F.leaky_relu(x + self._tensor("conv1.noise"), 0.2)
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
        """Render styles [N, 6752] to pictures [N, 3, 1024, 1024] in [-1, 1], not clamped."""
        return cuda_ops.mobile_network(*self.network(styles))

    def synthesize_rgb8(self, styles: Tensor) -> Tensor:
        """Render styles [N, 6752] to bytes [N, 1024, 1024, 3], in one go with the last block."""
        return cuda_ops.mobile_network_rgb8(*self.network(styles))

    def preview(self, styles: Tensor, size: int) -> Tensor:
        """Render small pictures: the last blocks run at the low resolution, on low bands alone.

        32 to 36 dB at 256 and 28 to 31 dB at 128 against the shrunk full picture, and every style
        layer keeps its effect, so that a latent can be fitted on previews only.
        """
        if size not in PREVIEW_BLOCKS:
            raise ValueError(f"no preview of size {size}; there are {self.preview_sizes}")
        return cuda_ops.mobile_network(*self.network(styles, PREVIEW_BLOCKS[size]))

    def network(
        self, styles: Tensor, blocks: int = BLOCKS
    ) -> tuple[Tensor, list[Tensor], list[cuda_ops.MobileBlock], cuda_ops.Head]:
        """Return what `cuda_ops.mobile_network` takes; blocks from `blocks` on are low ones."""
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
        if blocks < BLOCKS:
            weight, bias = weight[:3] * 0.5, bias[:3] * 0.5
        scales = [s[layer.name] for layer in self.layers[1:]]
        return self.features(styles, 0), scales, constants, cuda_ops.Head(weight, bias)

    def _by_layer(self, styles: Tensor) -> dict[str, Tensor]:
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
    """Return filters [C, 3, 3] that act on maps halved so many times as these do on whole ones."""
    halve = HALVE.to(depthwise)
    for _ in range(times):
        depthwise = torch.einsum("pi,cij,qj->cpq", halve, depthwise, halve)
    return depthwise


def _halve_noise(noise: Tensor, times: int) -> Tensor:
    """Average noise [H, W] to half its size so many times."""
    for _ in range(times):
        noise = F.avg_pool2d(noise[None], 2)[0]
    return noise
