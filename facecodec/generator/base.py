"""What every generator offers: mapping, styles, synthesis, and a cheap preview for fitting."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cuda_ops


@dataclass(frozen=True)
class StyleLayer:
    """One affine layer of the synthesis network, a slice of the style vector.

    `name` addresses it ("2.up"), `offset` and `size` say which channels of the style vector are
    its own, `ws_index` is the W+ row it reads, `resolution` the side of the feature map it scales.
    """

    name: str
    offset: int
    size: int
    ws_index: int
    resolution: int


class Generator(nn.Module, ABC):
    """Mapping and synthesis of one StyleGAN2-like network.

    Shapes: z and w are [N, w_dim], an identity latent w_plus is [N, num_ws, w_dim], styles are
    [N, num_styles], pictures are [N, 3, resolution, resolution] in [-1, 1], not clamped.
    """

    name: str
    sha256: str
    resolution: int
    num_ws: int
    num_styles: int
    w_dim: ClassVar[int] = 512
    layers: tuple[StyleLayer, ...]
    preview_sizes: tuple[int, ...]
    tunable: tuple[str, ...] = ()  # names of the tensors that a full tuning may change
    middle: tuple[int, int] | None = None  # channels and side of `middle_features`; None: no such
    w_mean: Tensor

    @abstractmethod
    def mapping(self, z: Tensor) -> Tensor:
        """Map normal noise z [N, w_dim] to w [N, w_dim]."""

    @abstractmethod
    def styles(self, w_plus: Tensor) -> Tensor:
        """Return the styles [N, num_styles] of identity latents [N, num_ws, w_dim]."""

    @abstractmethod
    def synthesize(self, styles: Tensor) -> Tensor:
        """Render styles [N, num_styles] to pictures [N, 3, resolution, resolution] in [-1, 1]."""

    def synthesize_rgb8(self, styles: Tensor) -> Tensor:
        """Render styles [N, num_styles] to uint8 [N, resolution, resolution, 3] for people to see.

        Products may be less exact than those of `synthesize`, see `cuda_ops.use_arithmetic`.
        """
        with cuda_ops.roughly():
            return cuda_ops.rgb8(self.synthesize(styles))

    def shrunk_rgb8(self, styles: Tensor, size: int) -> Tensor:
        """Render styles [N, num_styles] as `synthesize_rgb8` does, shrunk: [N, size, size, 3].

        size: a side in pixels that divides the resolution. Pixels are means.
        """
        # of the bytes: drawing in floats takes twice as long where the processor has bf16
        planes = self.synthesize_rgb8(styles).permute(0, 3, 1, 2).float()
        small = F.avg_pool2d(planes, self.resolution // size).round_().byte()
        return small.permute(0, 2, 3, 1).contiguous()

    @abstractmethod
    def preview(self, styles: Tensor, size: int) -> Tensor:
        """Render styles [N, num_styles] to [N, 3, size, size], much cheaper than `synthesize` does.

        Raises ValueError for a size that is not in `preview_sizes`.
        """

    def middle_features(self, styles: Tensor) -> Tensor:
        """Return the features [N, C, S, S] in the middle of the network, of styles [N, num_styles].

        `middle` is (C, S). Raises ValueError for a network of which no middle is known.
        """
        raise ValueError(f"no middle of {self.name} is known")

    def drawn_from_middle(self, styles: Tensor, weight: Tensor) -> Tensor:
        """Return a linear map of `middle_features`, as pictures, of styles [N, num_styles].

        weight [3, C] makes a pixel of each feature: [N, 3, S, S]; [12, C] makes the Haar bands of
        four: [N, 3, 2 S, 2 S]. Raises ValueError for a network of which no middle is known.
        """
        raise ValueError(f"no middle of {self.name} is known")

    def shrunk(self, styles: Tensor, size: int) -> Tensor:
        """Render styles [N, num_styles] in full, one at a time, and shrink: [N, 3, size, size].

        A network smaller than `size` has its picture enlarged, as in `preview`.
        """
        with torch.no_grad():
            return torch.cat([self.resized(self.synthesize(row[None]), size) for row in styles])

    def resized(self, pictures: Tensor, size: int) -> Tensor:
        """Shrink pictures [N, 3, resolution, resolution], or enlarge them: [N, 3, size, size]."""
        if self.resolution < size:
            return F.interpolate(pictures, size=(size, size), mode="bilinear")
        return F.avg_pool2d(pictures, self.resolution // size)

    def tunable_tensor(self, name: str) -> Tensor:
        """Return one of the `tunable` tensors, of any shape [...].

        Raises KeyError for another name.
        """
        raise KeyError(name)

    def changed(self, tensors: Mapping[str, Tensor]) -> Generator:
        """Return a generator that shares all but these tunable tensors with this one.

        Each has the shape [...] of the tensor it replaces, and gradients reach it. Raises KeyError
        for a name that is not in `tunable`.
        """
        if tensors:
            raise KeyError(next(iter(tensors)))
        return copy.copy(self)

    def broadcast(self, w: Tensor) -> Tensor:
        """Repeat w [N, w_dim] over all rows: [N, num_ws, w_dim]."""
        return w[:, None, :].expand(-1, self.num_ws, -1)

    def channel(self, layer: str, index: int) -> int:
        """Return the position of channel `index` of layer `layer` in the style vector.

        Raises KeyError for an unknown layer and IndexError for a channel outside it.
        """
        for candidate in self.layers:
            if candidate.name == layer:
                if not 0 <= index < candidate.size:
                    raise IndexError(f"layer {layer} has channels 0..{candidate.size - 1}")
                return candidate.offset + index
        raise KeyError(layer)
