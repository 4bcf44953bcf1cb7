"""Paint the face's place over, so that a conventional codec spends nothing there."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.alignment import Alignment
from facecodec.types import Flags, Picture

# The part of an aligned square that a decoded head surely covers, in sides of the square: an
# ellipse from the forehead to the chin, within the ears.
FACE_CENTRE = (0.5, 0.58)  # x, y
FACE_RADII = (0.27, 0.36)
SMALLEST_LEVEL = 2  # pixels of a side of the coarsest level of the membrane
SMOOTHING_PASSES = 4  # of the mean of four neighbours, at every level


def face_place(alignment: Alignment, scale: tuple[float, float], size: tuple[int, int]) -> Flags:
    """Return which pixels of a context picture the face hides, bool [H, W].

    alignment: the face's square in the source's pixels. scale: pixels of the context for one of
    the source, across and down. size: width and height of the context.
    """
    width, height = size
    columns = (np.arange(width) + 0.5) / scale[0]
    rows = (np.arange(height) + 0.5) / scale[1]
    matrix = alignment.corner_matrix()
    inverse = np.linalg.inv(matrix[:, :2])
    x, y = columns[None, :] - matrix[0, 2], rows[:, None] - matrix[1, 2]
    across = (inverse[0, 0] * x + inverse[0, 1] * y - FACE_CENTRE[0]) / FACE_RADII[0]
    down = (inverse[1, 0] * x + inverse[1, 1] * y - FACE_CENTRE[1]) / FACE_RADII[1]
    inside: Flags = across * across + down * down < 1
    return inside


def filled(picture: Picture, hidden: Flags) -> Picture:
    """Return a picture [H, W, 3] whose hidden pixels [H, W] continue their surroundings smoothly.

    A membrane over the place, stretched from its rim: the mean of the known pixels at every scale,
    the coarsest first (the pull-push of Gortler et al. 1996, "The Lumigraph", section 3.4), and at
    each some passes towards the solution of Laplace's equation.
    """
    if not hidden.any() or hidden.all():
        return picture
    return continued(picture, np.zeros_like(picture), hidden)


def continued(picture: Picture, under: Picture, hidden: Flags) -> Picture:
    """Return a picture [H, W, 3] whose hidden pixels [H, W] are those of another, `under`.

    Their levels are shifted so that no rim shows: what the two differ by at the rim is stretched
    over the place as `filled` says. So a place that does not change costs a codec nothing.
    """
    if not hidden.any() or hidden.all():
        return under if hidden.all() else picture
    known = torch.from_numpy(~hidden)[None, None].float()
    below = torch.from_numpy(under.astype(np.float32)).permute(2, 0, 1)[None]
    levels = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    painted = below + _membrane((levels - below) * known, known)
    result: Picture = painted[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
    return result


def _membrane(weighted: Tensor, known: Tensor) -> Tensor:
    """Return grey levels [1, 3, H, W] everywhere, given levels times how far each is known.

    known: [1, 1, H, W] of 0 to 1.
    """
    height, width = known.shape[-2:]
    levels = weighted / known.clamp(min=1e-6)
    if float(known.min()) > 0 or min(height, width) <= SMALLEST_LEVEL:
        mean = weighted.sum((-2, -1), keepdim=True) / known.sum().clamp(min=1e-6)
        return torch.where(known > 0, levels, mean)
    size = (height + 1) // 2, (width + 1) // 2
    coarse = _membrane(F.adaptive_avg_pool2d(weighted, size), F.adaptive_avg_pool2d(known, size))
    guess = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    painted = torch.where(known > 0, levels, guess)
    for _ in range(SMOOTHING_PASSES):
        framed = F.pad(painted, (1, 1, 1, 1), mode="replicate")
        around = framed[..., :-2, 1:-1] + framed[..., 2:, 1:-1]
        around = around + framed[..., 1:-1, :-2] + framed[..., 1:-1, 2:]
        painted = torch.where(known > 0, painted, around / 4)
    return painted


def plate_of(pictures: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> Picture:
    """Return the plate of some pictures [N, H, W, 3]: the median of each pixel where it is seen.

    hidden [N, H, W]: where the face is. What is hidden in all of them continues its surroundings.
    """
    never = hidden.all(0)
    levels = pictures.astype(np.float32)
    levels[hidden & ~never] = np.nan
    median: Picture = np.nanmedian(levels, axis=0).round().astype(np.uint8)
    return filled(median, np.asarray(never, bool))
