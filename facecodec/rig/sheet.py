"""A picture of a rig: every control at three levels on one generated face."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from facecodec.generator.base import Generator
from facecodec.generator.sampling import draw_latents
from facecodec.pixels import to_uint8
from facecodec.progress import Progress, silent
from facecodec.rig.rig import Rig

LEVELS = (-2.0, 0.0, 2.0)  # standard deviations at which a control is shown
TRUNCATION = 0.6  # of the face that is drawn: a likely one
GAP_PIXELS = 6  # white pixels between the strips of two controls
CAPTION_PIXELS = 14  # above each strip, for the title of its control
WHITE = 255


def contact_sheet(
    generator: Generator,
    rig: Rig,
    seed: int = 0,
    across: int = 3,
    size: int = 128,
    amount: float = 1.0,
    progress: Progress = silent,
) -> NDArray[np.uint8]:
    """Return a sheet, uint8 [H, W, 3]: `across` controls side by side, each a strip of three.

    Above each strip stands the title of its control. They run in the rig's order, row by row.
    `amount` scales the levels; `size` is a side of each face in pixels.
    """
    basis = rig.basis(generator)
    w = draw_latents(generator, 1, seed, truncation=TRUNCATION)
    gap = np.full((size, GAP_PIXELS, 3), WHITE, np.uint8)
    strips = []
    with torch.no_grad():
        styles = generator.styles(generator.broadcast(w))
        for i in range(len(rig.names)):
            moves = torch.tensor(LEVELS).to(basis)[:, None] * amount * basis[i]
            faces = to_uint8(generator.preview(styles + moves, size))
            strip = np.concatenate([*faces, gap], axis=1)
            strips.append(np.concatenate([caption(rig.shown_titles[i], strip.shape[1]), strip]))
            progress("drawing", i + 1, len(rig.names))
    while len(strips) % across:
        strips.append(np.full_like(strips[0], WHITE))
    rows = [np.concatenate(strips[i : i + across], 1) for i in range(0, len(strips), across)]
    return np.concatenate(rows, axis=0)


def caption(text: str, width: int) -> NDArray[np.uint8]:
    """Return a text as a strip of the sheet, uint8 [`CAPTION_PIXELS`, width, 3]."""
    strip = Image.new("RGB", (width, CAPTION_PIXELS), (WHITE,) * 3)
    ImageDraw.Draw(strip).text((2, 1), text, fill=(0, 0, 0))
    return np.asarray(strip, np.uint8)
