"""A MobileStyleGAN of few channels and random constants, with a rig: it draws as the real one."""

from __future__ import annotations

import torch
from torch import Tensor

from facecodec.generator.mobilestylegan import BLOCKS, MAPPING_LAYERS, MobileStyleGAN
from facecodec.rig.rig import ExpressionAxis, Offset, PoseAxis, Rig

WIDTH = 8  # channels of a block; its bands are four times as many
SHA256 = "7e" * 32
_HEAD = 1.0  # of the head's weights: few pixels are beyond black and white


def tiny_generator(seed: int = 1) -> MobileStyleGAN:
    """Return the generator."""
    torch.manual_seed(seed)
    w = MobileStyleGAN.w_dim
    bands = 4 * WIDTH
    tensors: dict[str, Tensor] = {"w_mean": 0.1 * torch.randn(w)}
    for i in range(MAPPING_LAYERS):
        tensors[f"mapping.{i}.weight"] = torch.randn(w, w) / w**0.5
        tensors[f"mapping.{i}.bias"] = 0.1 * torch.randn(w)

    def affine(name: str, size: int) -> None:
        tensors[f"{name}.affine.weight"] = 0.3 * torch.randn(size, w) / w**0.5
        tensors[f"{name}.affine.bias"] = 1 + 0.1 * torch.randn(size)

    tensors["input"] = torch.randn(WIDTH, 4, 4)
    tensors["conv1.weight"] = torch.randn(bands, WIDTH, 3, 3) / (9 * WIDTH) ** 0.5
    tensors["conv1.bias"] = 0.1 * torch.randn(bands)
    tensors["conv1.noise"] = 0.1 * torch.randn(4, 4)
    affine("conv1", WIDTH)
    for k in range(BLOCKS):
        side, last = 8 << k, WIDTH if k == BLOCKS - 1 else bands
        affine(f"{k}.up", bands)
        for conv, inputs, outputs in (("conv1", WIDTH, WIDTH), ("conv2", WIDTH, last)):
            name = f"{k}.{conv}"
            affine(name, inputs)
            tensors[f"{name}.depthwise"] = torch.randn(inputs, 3, 3) / 3
            tensors[f"{name}.weight"] = torch.randn(outputs, inputs) / inputs**0.5
            tensors[f"{name}.bias"] = 0.1 * torch.randn(outputs)
            tensors[f"{name}.noise"] = 0.1 * torch.randn(side, side)
    affine("to_img", WIDTH)
    tensors["to_img.weight"] = _HEAD * torch.randn(12, WIDTH)
    tensors["to_img.bias"] = 0.05 * torch.randn(12)
    return MobileStyleGAN.from_tensors(tensors, "tiny", SHA256)


def tiny_rig(generator: MobileStyleGAN) -> Rig:
    """Return a rig of 35 controls for it, as many as the shipped one has."""
    torch.manual_seed(4)

    def direction() -> tuple[float, ...]:
        return tuple(torch.randn(generator.w_dim).tolist())

    pose = [PoseAxis(name, direction(), 6, 0.9, 1.0) for name in ("yaw", "pitch", "roll")]
    layers = [layer.name for layer in generator.layers]
    offsets = [
        Offset(layers[i % len(layers)], i % WIDTH, 0.8, "mouth", 1.0, 0.5) for i in range(24)
    ]
    faces = [ExpressionAxis(f"face{i}", direction()) for i in range(8)]
    name, sha = generator.name, generator.sha256
    return Rig(name, sha, 0, 1, tuple(pose), tuple(offsets), tuple(faces))
