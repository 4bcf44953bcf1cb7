"""Maps in panels, as maps.h has them: what lies between the blocks of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_ops.cpu import library


class Layout(IntEnum):
    """How maps lie in memory; the numbers are those of abi.h."""

    PLANAR = 0
    PANELS = 1
    PANELS16 = 2


def map_type(reduced: bool) -> torch.dtype:
    """Return what maps are held as between blocks: bf16 where products are."""
    return torch.bfloat16 if reduced else torch.float32


@dataclass(frozen=True)
class PanelMap:
    """A map of N frames and C channels of H x `width` pixels.

    data [N, H, panels of a row, C, PANEL], float32 or bfloat16; anything beyond a row's end.
    """

    data: Tensor
    width: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return N, C, H and W."""
        return len(self.data), self.data.shape[3], self.data.shape[1], self.width

    @staticmethod
    def data_shape(shape: Sequence[int]) -> tuple[int, int, int, int, int]:
        """Return the shape of `data` for a map [N, C, H, W]."""
        frames, channels, height, width = shape
        panel = 2 * library.lanes()
        return frames, height, -(-width // panel), channels, panel

    @classmethod
    def empty(cls, shape: Sequence[int], dtype: torch.dtype) -> PanelMap:
        """Return room for a map [N, C, H, W]."""
        return cls(torch.empty(cls.data_shape(shape), dtype=dtype), shape[3])

    @classmethod
    def of(cls, planar: Tensor, dtype: torch.dtype) -> PanelMap:
        """Return a planar map [N, C, H, W] in panels."""
        frames, height, panels, channels, panel = cls.data_shape(planar.shape)
        width = planar.shape[3]
        padded = F.pad(planar, (0, panels * panel - width)).to(dtype)
        rows = padded.reshape(frames, channels, height, panels, panel)
        return cls(rows.permute(0, 2, 3, 1, 4).contiguous(), width)

    def planar(self) -> Tensor:
        """Return the map as torch has it, float32 [N, C, H, W]."""
        frames, channels, height, width = self.shape
        rows = self.data.permute(0, 3, 1, 2, 4).reshape(frames, channels, height, -1)
        return rows[..., :width].float().contiguous()
