"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), configurations e and f."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cuda_ops
from facecodec.generator.base import Generator, StyleLayer
from facecodec.generator.stylegan2_layout import W_DIM, Layout, read_layout

Operator = Callable[..., Tensor]

MAPPING_RATE = 0.01  # learning-rate multiplier of the mapping network, part of its weights' gain
EPSILON = 1e-8  # added to the mean square of z before it is divided by


class StyleGAN2(Generator):
    """StyleGAN2 with skip connections, any power of two from 8 to 1024 and any width.

    Style layers are numbered as in StyleSpace (arXiv 2011.12799), toRGB counted: "0" and "1" are
    the convolution and the toRGB at 4x4, then three a resolution: the upsampling convolution, the
    second one, toRGB. Configuration f at 1024x1024 has 26 layers of 9088 channels in all. A
    channel's value is the output of its affine layer, without a gain, as published.

    `noise` turns the network's noise constants on (as trained) or off; it may be changed any time.
    """

    preview_sizes = (256, 128, 64)
    const: Tensor

    def __init__(
        self, tensors: Mapping[str, Tensor], layout: Layout, name: str, sha256: str
    ) -> None:
        """Make the network of `tensors`, whose shapes [...] are those of `layout`."""
        super().__init__()
        self.name, self.sha256, self.noise = name, sha256, True
        self.resolution, self.num_ws = layout.resolution, layout.num_ws
        clamp = float(tensors["synthesis.clamp"]) if layout.clamp else None
        self.register_buffer("w_mean", tensors["mapping.w_avg"])
        self.register_buffer("const", tensors["synthesis.b4.const"])
        self.mapping_layers = nn.ModuleList(
            _Affine(tensors, f"mapping.fc{i}", MAPPING_RATE) for i in range(layout.mapping_layers)
        )
        self._convs: list[_Conv] = []
        self._rgbs: list[_ToRGB] = []
        for side in layout.resolutions:
            block = f"synthesis.b{side}"
            if side > 4:
                self._convs.append(_Conv(tensors, f"{block}.conv0", layout.noise, clamp, up=True))
            self._convs.append(_Conv(tensors, f"{block}.conv1", layout.noise, clamp, up=False))
            self._rgbs.append(_ToRGB(tensors, f"{block}.torgb", clamp))
        self.synthesis = nn.ModuleList([*self._convs, *self._rgbs])
        self._modules_by_layer, self.layers = self._list_layers()
        self.num_styles = sum(layer.size for layer in self.layers)

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor | np.ndarray], name: str, sha256: str
    ) -> StyleGAN2:
        """Build the network from tensors [...] named as `stylegan2_layout` says.

        Raises ModelError when one is missing or of the wrong shape.
        """
        layout = read_layout({key: tuple(value.shape) for key, value in tensors.items()})
        return cls(
            {k: torch.as_tensor(v).float() for k, v in tensors.items()}, layout, name, sha256
        )

    def _list_layers(self) -> tuple[list[_Modulated], tuple[StyleLayer, ...]]:
        """List the style layers in the order of StyleSpace; toRGB reads the next row of W+."""
        entries: list[tuple[_Modulated, int, int]] = []
        for row, conv in enumerate(self._convs):
            side = 4 << (row + 1) // 2
            entries.append((conv, row, side))
            if row % 2 == 0:
                entries.append((self._rgbs[row // 2], row + 1, side))
        layers, offset = [], 0
        for number, (module, row, side) in enumerate(entries):
            size = module.affine.bias.numel()
            layers.append(StyleLayer(str(number), offset, size, row, side))
            offset += size
        return [module for module, _, _ in entries], tuple(layers)

    def mapping(self, z: Tensor) -> Tensor:
        """Map normal noise z [N, w_dim] to w [N, w_dim]: unit mean square, then dense layers."""
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + EPSILON)
        for layer in self.mapping_layers:
            x = F.leaky_relu(layer(x), cuda_ops.LEAK) * cuda_ops.GAIN
        return x

    def styles(self, w_plus: Tensor) -> Tensor:
        """Return the styles [N, num_styles] of identity latents [N, num_ws, w_dim]."""
        parts = [
            module.affine(w_plus[:, layer.ws_index])
            for module, layer in zip(self._modules_by_layer, self.layers, strict=True)
        ]
        return torch.cat(parts, 1)

    def synthesize(self, styles: Tensor) -> Tensor:
        """Render styles [N, num_styles] to pictures [N, 3, resolution, resolution], not clamped."""
        return self._render(styles, self.resolution)

    def preview(self, styles: Tensor, size: int) -> Tensor:
        """Render styles [N, num_styles] to [N, 3, size, size], the toRGB outputs up to that size.

        What finer blocks would add to the picture is missing, so their styles have no effect. A
        network smaller than `size` has its whole picture enlarged. Raises ValueError for a size
        that is not in `preview_sizes`.
        """
        if size not in self.preview_sizes:
            raise ValueError(f"no preview of size {size}; there are {self.preview_sizes}")
        picture = self._render(styles, min(size, self.resolution))
        if picture.shape[-1] == size:
            return picture
        return F.interpolate(picture, size=(size, size), mode="bilinear")

    def _render(self, styles: Tensor, size: int) -> Tensor:
        """Return what the block of a size draws, [N, 3, size, size], of styles [N, num_styles]."""
        for operator, _, result in self.steps(styles):
            if operator is cuda_ops.modulated_rgb and result.shape[-1] == size:
                return result
        raise ValueError(f"no block of size {size}")

    def steps(self, styles: Tensor) -> Iterator[tuple[Operator, tuple[Any, ...], Tensor]]:
        """Run the network on styles [N, num_styles]; yield each operator, its arguments and result.

        `modulated_conv` makes feature maps [N, C, S, S], and `modulated_rgb`, once a block, the
        picture up to there, [N, 3, S, S].
        """
        parts = iter(styles.split([layer.size for layer in self.layers], 1))
        x = self.const.expand(len(styles), -1, -1, -1)
        picture: Tensor | None = None
        for row, conv in enumerate(self._convs):
            given: tuple[Any, ...] = (x, next(parts), conv.constants(self.noise))
            x = cuda_ops.modulated_conv(*given)
            yield cuda_ops.modulated_conv, given, x
            if row % 2 == 0:
                rgb = self._rgbs[row // 2]
                given = (x, next(parts), rgb.weight, rgb.bias, rgb.clamp, picture)
                picture = cuda_ops.modulated_rgb(*given)
                yield cuda_ops.modulated_rgb, given, picture


class _Affine(nn.Module):
    """A dense layer [N, W_DIM] -> [N, size]; its gain rate / sqrt(W_DIM) is part of the weights.

    The bias is multiplied by `rate`.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, tensors: Mapping[str, Tensor], name: str, rate: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("weight", tensors[f"{name}.weight"] * (rate / W_DIM**0.5))
        self.register_buffer("bias", tensors[f"{name}.bias"] * rate)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs [N, size] of inputs [N, W_DIM]."""
        return F.linear(x, self.weight, self.bias)


class _Modulated(nn.Module):
    """What convolutions and toRGB share: an affine layer [N, W_DIM] -> [N, C] for their style."""

    affine: _Affine
    weight: Tensor
    bias: Tensor
    clamp: float | None

    def __init__(self, tensors: Mapping[str, Tensor], name: str, clamp: float | None) -> None:
        super().__init__()
        self.affine, self.clamp = _Affine(tensors, f"{name}.affine"), clamp
        self.register_buffer("bias", tensors[f"{name}.bias"])


class _Conv(_Modulated):
    """A modulated and demodulated 3x3 convolution, weight [O, C, 3, 3]."""

    squares: Tensor
    noise: Tensor | None

    def __init__(
        self, tensors: Mapping[str, Tensor], name: str, noise: bool, clamp: float | None, up: bool
    ) -> None:
        super().__init__(tensors, name, clamp)
        self.up = up
        self.register_buffer("weight", tensors[f"{name}.weight"])
        self.register_buffer("squares", self.weight.square().sum((2, 3)))
        strength = tensors[f"{name}.noise_strength"] if noise else None
        self.register_buffer(
            "noise", None if strength is None else tensors[f"{name}.noise_const"] * strength
        )

    def constants(self, noise: bool) -> cuda_ops.ModulatedConv:
        """Return what the operator needs, with or without the noise."""
        return cuda_ops.ModulatedConv(
            self.weight, self.squares, self.bias, self.noise if noise else None, self.up, self.clamp
        )


class _ToRGB(_Modulated):
    """A modulated 1x1 convolution to colours, weight [3, C] with the gain 1 / sqrt(C) in it."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str, clamp: float | None) -> None:
        super().__init__(tensors, name, clamp)
        weight = tensors[f"{name}.weight"][:, :, 0, 0]
        self.register_buffer("weight", weight / weight.shape[1] ** 0.5)
