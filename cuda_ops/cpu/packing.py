"""Weights in the order the kernels read them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_ops.cpu import library

DOT_GROUP = 12  # output channels of a register tile of dot products, as in bf16.h
TILE = 16  # rows of an AMX tile and pairs in one, as in tiles.h


def product_weights(weight: Tensor) -> Tensor:
    """Pack [D, C] by groups of output channels: [C, group] each, the last group narrower."""
    group = library.GROUPS[library.lanes()]
    whole = len(weight) // group * group
    head = weight[:whole].reshape(-1, group, weight.shape[1]).transpose(1, 2)
    return torch.cat((head.reshape(-1), weight[whole:].T.reshape(-1))).contiguous()


def transposed_weights(weight: Tensor) -> Tensor:
    """Pack [D, C] for the backward pass, C outputs of D inputs, as `product_weights` does it."""
    return product_weights(weight.T)


def transposed_weights16(weight: Tensor) -> Tensor:
    """Pack [D, C] in bf16 for the backward pass, as `product_weights16` does it."""
    return product_weights16(weight.T)


def product_weights16(weight: Tensor) -> Tensor:
    """Pack [D, C] in bf16 as bf16.h reads it: in tiles or in groups of dot products."""
    pairs = F.pad(weight, (0, -weight.shape[1] % 2)).bfloat16()
    if library.products16() == library.Products16.DOTS:
        pairs = F.pad(pairs, (0, 0, 0, -len(pairs) % DOT_GROUP))
        groups = pairs.reshape(-1, DOT_GROUP, pairs.shape[1] // 2, 2)
        return groups.transpose(1, 2).contiguous()
    pairs = F.pad(pairs, (0, -pairs.shape[1] % (2 * TILE), 0, -len(pairs) % (2 * TILE)))
    tiles = pairs.reshape(-1, 2, TILE, pairs.shape[1] // (2 * TILE), 2 * TILE)
    return tiles.permute(0, 3, 1, 2, 4).contiguous()


def padded_rows(noise: Tensor) -> Tensor:
    """Pad the rows of [H, W] to a multiple of a panel, two vectors."""
    return F.pad(noise, (0, -noise.shape[-1] % (2 * library.lanes()))).contiguous()
