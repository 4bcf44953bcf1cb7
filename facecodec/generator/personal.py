"""Personal previews: small pictures of one person, cheaper and nearer than anybody's previews.

What the last blocks add to one person's face is nearly linear in the features before them, and much
of it does not move at all. A 1x1 head and a constant picture, both fitted to a few full renders of
the person, take the place of those blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

PersonalPreview = Callable[[Tensor], Tensor]  # styles [N, num_styles] -> pictures [N, 3, S, S]

RIDGE = 1e-3


def with_offset(preview: PersonalPreview, styles: Tensor, pictures: Tensor) -> PersonalPreview:
    """Return a preview plus its mean error on some styles [K, ...] whose pictures are known.

    pictures [K, 3, S, S] are full renders of `styles`, shrunk to the preview's size.
    """
    with torch.no_grad():
        shown = torch.cat([preview(row[None]) for row in styles])
        offset = (pictures - shown).mean(0)
    return lambda wanted: preview(wanted) + offset


def fit_head(features: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return the head, weight [12, C] and bias [12], that turns features into pictures.

    features [K, C, S, S], pictures [K, 3, 2S, 2S]: ridge regression of the pictures' Haar bands.
    """
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    rows = torch.cat([rows, torch.ones_like(rows[:, :1])], 1)
    wanted = haar(pictures).permute(0, 2, 3, 1).flatten(0, 2)
    gram, product = (rows.T @ rows).double(), (rows.T @ wanted).double()
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
    solved = torch.linalg.solve(gram, product).float()
    return solved[:-1].T.contiguous(), solved[-1].contiguous()


def haar(pictures: Tensor) -> Tensor:
    """Return the Haar bands [N, 4C, H, W] of pictures [N, C, 2H, 2W]: `cuda_ops.inverse_haar`'s
    inverse, low band first, then lh, hl, hh of every channel.
    """
    n, c, height, width = pictures.shape
    quads = F.pixel_unshuffle(pictures, 2).reshape(n, c, 4, height // 2, width // 2)
    a, b, d, e = quads.unbind(2)  # top left, top right, bottom left, bottom right
    details = torch.stack([a + b - d - e, a - b + d - e, a - b - d + e], 2)
    low = a + b + d + e
    return torch.cat([low, details.flatten(1, 2)], 1) * 0.5
