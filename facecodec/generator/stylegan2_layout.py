"""The layout of a StyleGAN2, read from its tensors: resolution, channels, and whether they fit.

Names are those of NVIDIA's PyTorch code (`synthesis.b64.conv0.affine.weight`), values as trained,
without a gain. The resample filter is always [1, 3, 3, 1] and not stored. Two facts that are no
weights are stored as tensors, so that they count in the generator's identity: `synthesis.clamp`
[], the limit of activations where there is one, and `mapping.w_avg` [512], the mean of w.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facecodec.errors import ModelError
from facecodec.generator.base import Generator

W_DIM = Generator.w_dim
# Limits of what is loaded; published networks have up to 1024x1024, 512 channels and 8 layers.
MAX_RESOLUTION = 1024
MAX_CHANNELS = 1024
MAX_MAPPING_LAYERS = 16

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The shape of one network of configuration e or f (skip architecture).

    `channels` holds the width of the blocks at 4, 8, ... `resolution`; `noise` and `clamp` say
    whether there are noise constants and a limit of activations.
    """

    channels: tuple[int, ...]
    mapping_layers: int
    noise: bool
    clamp: bool

    @property
    def resolution(self) -> int:
        """Return the side of the pictures."""
        return 2 << len(self.channels)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Return the side of every block's feature map: 4, 8, ... `resolution`."""
        return tuple(4 << k for k in range(len(self.channels)))

    @property
    def num_ws(self) -> int:
        """Return the number of rows of W+: one for each convolution, and one for the last toRGB."""
        return 2 * len(self.channels)

    def shapes(self) -> dict[str, Shape]:
        """Return the name and shape of every tensor the network must have."""
        shapes: dict[str, Shape] = {"mapping.w_avg": (W_DIM,)}
        if self.clamp:
            shapes["synthesis.clamp"] = ()
        for i in range(self.mapping_layers):
            shapes[f"mapping.fc{i}.weight"] = (W_DIM, W_DIM)
            shapes[f"mapping.fc{i}.bias"] = (W_DIM,)
        shapes["synthesis.b4.const"] = (self.channels[0], 4, 4)
        inputs = 0
        for side, width in zip(self.resolutions, self.channels, strict=True):
            block = f"synthesis.b{side}"
            if inputs:
                shapes |= self._conv(f"{block}.conv0", inputs, width, side)
            shapes |= self._conv(f"{block}.conv1", width, width, side)
            shapes |= _modulated(f"{block}.torgb", width, 3, 1)
            inputs = width
        return shapes

    def _conv(self, name: str, inputs: int, outputs: int, side: int) -> dict[str, Shape]:
        shapes = _modulated(name, inputs, outputs, 3)
        if self.noise:
            shapes |= {f"{name}.noise_const": (side, side), f"{name}.noise_strength": ()}
        return shapes


def _modulated(name: str, inputs: int, outputs: int, kernel: int) -> dict[str, Shape]:
    return {
        f"{name}.affine.weight": (inputs, W_DIM),
        f"{name}.affine.bias": (inputs,),
        f"{name}.weight": (outputs, inputs, kernel, kernel),
        f"{name}.bias": (outputs,),
    }


def read_layout(shapes: Mapping[str, Shape]) -> Layout:
    """Return the layout of the network these tensors make up.

    Raises ModelError, naming the tensor, when one is missing, too many, or of another shape.
    """
    channels: list[int] = []
    while (name := f"synthesis.b{4 << len(channels)}.conv1.weight") in shapes:
        if not shapes[name] or not 1 <= shapes[name][0] <= MAX_CHANNELS:
            raise ModelError(f"tensor {name} has shape {shapes[name]}, no convolution's")
        channels.append(shapes[name][0])
        if 2 << len(channels) > MAX_RESOLUTION:
            raise ModelError(f"the network is larger than {MAX_RESOLUTION}x{MAX_RESOLUTION}")
    layers = 0
    while f"mapping.fc{layers}.weight" in shapes and layers < MAX_MAPPING_LAYERS:
        layers += 1
    if len(channels) < 2 or not layers:
        raise ModelError("the tensors are not a StyleGAN2 with a mapping and a synthesis network")
    layout = Layout(
        tuple(channels),
        layers,
        "synthesis.b4.conv1.noise_const" in shapes,
        "synthesis.clamp" in shapes,
    )
    expected = layout.shapes()
    for name, shape in expected.items():
        if name not in shapes:
            raise ModelError(f"tensor {name} is missing from this StyleGAN2")
        if tuple(shapes[name]) != shape:
            raise ModelError(f"tensor {name} has shape {tuple(shapes[name])}, it must be {shape}")
    if unknown := sorted(set(shapes) - set(expected)):
        raise ModelError(
            f"tensor {unknown[0]} has no place in a StyleGAN2 of the skip architecture"
        )
    return layout
