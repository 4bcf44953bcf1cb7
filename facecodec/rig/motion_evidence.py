"""Motion evidence: which of the candidate channels explain how real faces move.

For a person fitted at rest, every candidate's effect is one column of a Jacobian, and every other
frame of a clip is a residual to be explained. Greedy forward selection then needs only the Gram
matrices of columns and residuals, summed over people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.rig.regions import QUOTAS, Region
from facecodec.types import Flags, Floats

PICTURE_SIZE = 128  # side in pixels of the pictures that are compared
STEP = 2.0  # standard deviations to either side: as far as expressions go
PRIOR = 3.0  # standard deviation of a control in use
NOISE = 0.06  # picture difference, of a range of 2, that counts as one standard deviation
OBSERVATIONS = 1e4  # how many independent pixels a frame counts as
BLUR_SHARE = 8  # a picture's low frequencies are its blur over one part in so many of its side
BLUR_PASSES = 2  # of a box filter


@dataclass(frozen=True)
class Evidence:
    """One frame's least squares, in units of the noise; the first columns are the pose's."""

    gram: Floats  # [C, C] of the candidates' effects
    product: Floats  # [C] of the effects with the residual
    square: float  # of the residual


def columns(generator: Generator, styles: Tensor, moves: Tensor, batch: int = 8) -> Tensor:
    """Return the effect of C moves on the small picture of `styles` [1, num_styles], [C, values].

    Central differences over `STEP` times each of `moves` [C, num_styles] to either side; `batch`
    moves are rendered at once.
    """
    rows = []
    with torch.no_grad():
        for start in range(0, len(moves), batch):
            part = moves[start : start + batch] * STEP
            both = generator.preview(styles + torch.cat([part, -part]), PICTURE_SIZE)
            ahead, behind = both.flatten(1).chunk(2)
            rows.append((ahead - behind) / (2 * STEP))
    return torch.cat(rows)


def evidence(effects: Tensor, residual: Tensor, weights: Tensor) -> Evidence:
    """Return one frame's evidence: effects [C, 3 S S], residual [1, 3, S, S], weights [1, 1, S, S].

    Low frequencies are left out: light and colour that change from frame to frame are much of a
    residual, and no part of an expression.
    """
    weights = weights.expand(1, 3, -1, -1).flatten()
    weights = weights * (OBSERVATIONS / float(weights.sum()) / NOISE**2)
    effects = detail(effects.view(-1, *residual.shape[1:])).flatten(1)
    residual = detail(residual).flatten()
    weighted = effects * weights
    return Evidence(
        (weighted @ effects.T).double().cpu().numpy(),
        (weighted @ residual).double().cpu().numpy(),
        float((weights * residual.square()).sum()),
    )


def detail(pictures: Tensor) -> Tensor:
    """Return pictures [N, 3, S, S] without their low frequencies, same shape."""
    side = pictures.shape[-1] // BLUR_SHARE | 1
    blurred = pictures
    for _ in range(BLUR_PASSES):
        blurred = F.avg_pool2d(blurred, side, 1, side // 2, count_include_pad=False)
    return pictures - blurred


def unexplained_share(frames: Sequence[Evidence], chosen: Sequence[int]) -> float:
    """Return the share, 0 to 1, of the squared residuals that the chosen columns cannot explain."""
    index = list(chosen)
    left = total = 0.0
    for frame in frames:
        gram = frame.gram[np.ix_(index, index)] + np.eye(len(index)) / PRIOR**2
        product = frame.product[index]
        left += frame.square - float(product @ np.linalg.solve(gram, product))
        total += frame.square
    return left / total


def choose_by_motion(
    frames: Sequence[Evidence], regions: Sequence[Region], num_pose: int, alike: Flags
) -> list[int]:
    """Return the columns of channels, chosen one by one for what they explain beyond the others.

    The first `num_pose` columns are always in use; `regions` [C - num_pose] are the others'. All
    quotas are met. `alike` [C, C] marks pairs of which only one may be chosen.
    Raises ValueError where the candidates are too few or too much alike for the quotas.
    """
    chosen = list(range(num_pose))
    counts = dict.fromkeys(QUOTAS, 0)
    while counts != QUOTAS:
        wanted = {region for region in QUOTAS if counts[region] < QUOTAS[region]}
        gains = _gains(frames, chosen)
        for i in np.argsort(-gains):
            if i < num_pose or i in chosen or alike[i, chosen].any():
                continue
            region = regions[i - num_pose]
            if region in wanted:
                chosen.append(int(i))
                counts[region] += 1
                break
        else:
            raise ValueError("the candidates cannot fill the quotas")
    return chosen[num_pose:]


def _gains(frames: Sequence[Evidence], chosen: list[int]) -> Floats:
    """Return how much each column would lower the objective, [C], by the Schur complement."""
    gains = np.zeros(len(frames[0].product))
    for frame in frames:
        gram = frame.gram[np.ix_(chosen, chosen)] + np.eye(len(chosen)) / PRIOR**2
        cross = frame.gram[:, chosen]
        solved = np.linalg.solve(gram, cross.T)
        rest = frame.product - solved.T @ frame.product[chosen]
        curvature = np.diag(frame.gram) + 1 / PRIOR**2 - (cross.T * solved).sum(0)
        gains += rest**2 / np.maximum(curvature, 1e-9)
    return gains
