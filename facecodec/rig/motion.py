"""Rig quality: which channels explain how real faces move, among those index sensitivity offers.

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
from numpy.typing import NDArray
from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.rig.regions import QUOTAS

SIZE = 128
STEP = 2.0  # standard deviations either side: as far as expressions go
PRIOR = 3.0  # standard deviation of a control in use
NOISE = 0.06  # picture difference that counts as one standard deviation
PIXELS = 1e4  # independent observations a frame is worth

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """One frame: Gram matrix [C, C] of the candidates, their product with the residual, its square.

    All in units of the noise; the first columns are always in use (pose).
    """

    gram: Array
    product: Array
    square: float


def columns(generator: Generator, styles: Tensor, moves: Tensor, batch: int = 8) -> Tensor:
    """Return the effect of each move [C, num_styles] on the small picture of `styles`, [C, pixels].

    Central differences over `STEP` units either side.
    """
    rows = []
    with torch.no_grad():
        for start in range(0, len(moves), batch):
            part = moves[start : start + batch] * STEP
            both = generator.preview(styles + torch.cat([part, -part]), SIZE)
            ahead, behind = both.flatten(1).chunk(2)
            rows.append((ahead - behind) / (2 * STEP))
    return torch.cat(rows)


def evidence(effects: Tensor, residual: Tensor, weights: Tensor) -> Evidence:
    """Return one frame's evidence: effects [C, 3 S S], residual [1, 3, S, S], weights [1, 1, S, S].

    Compared without their low frequencies: light and colour that change from frame to frame are
    much of a residual, and none of an expression.
    """
    weights = weights.expand(1, 3, -1, -1).flatten()
    weights = weights * (PIXELS / float(weights.sum()) / NOISE**2)
    effects = detail(effects.view(-1, *residual.shape[1:])).flatten(1)
    residual = detail(residual).flatten()
    weighted = effects * weights
    return Evidence(
        (weighted @ effects.T).double().cpu().numpy(),
        (weighted @ residual).double().cpu().numpy(),
        float((weights * residual.square()).sum()),
    )


def detail(pictures: Tensor) -> Tensor:
    """Return pictures [N, 3, S, S] less their own blur over an eighth of the side."""
    side = pictures.shape[-1] // 8 | 1
    blurred = pictures
    for _ in range(2):
        blurred = F.avg_pool2d(blurred, side, 1, side // 2, count_include_pad=False)
    return pictures - blurred


def left_over(frames: Sequence[Evidence], chosen: Sequence[int]) -> float:
    """Return the share of the frames' squared residual that the chosen columns cannot explain."""
    index = list(chosen)
    left = total = 0.0
    for frame in frames:
        gram = frame.gram[np.ix_(index, index)] + np.eye(len(index)) / PRIOR**2
        product = frame.product[index]
        left += frame.square - float(product @ np.linalg.solve(gram, product))
        total += frame.square
    return left / total


def choose_by_motion(
    frames: Sequence[Evidence], regions: Sequence[str], pose: int, alike: NDArray[np.bool_]
) -> list[int]:
    """Return the columns of channels, chosen one by one for what they explain beyond the others.

    `regions` [C - pose] names each candidate's region; all quotas are met. `alike` [C, C] marks
    pairs that may not both be chosen.
    """
    chosen = list(range(pose))
    counts = dict.fromkeys(QUOTAS, 0)
    while counts != QUOTAS:
        only = {region for region in QUOTAS if counts[region] < QUOTAS[region]}
        gains = _gains(frames, chosen)
        for i in np.argsort(-gains):
            region = regions[i - pose] if i >= pose else ""
            if region in only and i not in chosen and not alike[i, chosen].any():
                chosen.append(int(i))
                counts[region] += 1
                break
        else:
            raise ValueError("the candidates cannot fill the quotas")
    return chosen[pose:]


def _gains(frames: Sequence[Evidence], chosen: list[int]) -> Array:
    """Return how much each column would lower the objective, by the Schur complement."""
    gains = np.zeros(len(frames[0].product))
    for frame in frames:
        gram = frame.gram[np.ix_(chosen, chosen)] + np.eye(len(chosen)) / PRIOR**2
        cross = frame.gram[:, chosen]
        solved = np.linalg.solve(gram, cross.T)
        rest = frame.product - solved.T @ frame.product[chosen]
        curvature = np.diag(frame.gram) + 1 / PRIOR**2 - (cross.T * solved).sum(0)
        gains += rest**2 / np.maximum(curvature, 1e-9)
    return gains
