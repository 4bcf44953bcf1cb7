"""Occlusion: frames in which a hand or a thing hides part of the face say less about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.checkpoint import stage
from facecodec.clip.scan import SQUARE_PIXELS, Scan
from facecodec.face.mask import face_mask
from facecodec.face.occlusion import occluded_share, occlusion
from facecodec.progress import Progress
from facecodec.types import Picture

# Share of the inner face. A shouting mouth is taken for up to 0.051, the edge of a hand for 0.08.
OCCLUDED_SHARE = 0.065
# Frames on either side of an occluded one that count as occluded: a hand comes and goes.
OCCLUDED_NEIGHBOUR_FRAMES = 2
# Both in pixels of a square of 256.
RELIABLE_MARGIN_PIXELS = 25  # width of the band around the inner face that the network was taught
WIDENING_PIXELS = 9  # window of the maximum that widens an occlusion


def with_occlusions(
    scan: Scan,
    squares: Iterable[tuple[int, Picture]],
    progress: Progress,
    live: bool = False,
    neighbours: int = OCCLUDED_NEIGHBOUR_FRAMES,
) -> Scan:
    """Return the scan with its occluded frames marked, given all aligned squares [S, S, 3].

    `live`: no frame is marked for what a later one shows. `neighbours`: frames on either side of an
    occluded one that are marked too.
    """
    shares = np.zeros(len(scan))
    kept, first = stage("occlusions"), 0
    if kept.known is not None:
        first = kept.known
        shares[:first] = kept.rows(first, 1)[:, 0]
    for i, square in squares:
        if i < first:
            continue
        if scan.seen[i]:
            shares[i] = occluded_share(square, scan.landmarks[i])
        progress("looking for occlusions", i + 1, len(scan))
        kept.add(shares[i : i + 1])
        if kept.due() or i + 1 == len(scan):
            kept.keep(i + 1)
    return replace(scan, occluded=scan.seen & _widened(shares > OCCLUDED_SHARE, live, neighbours))


def visible(square: NDArray[np.uint8], landmarks: NDArray[np.float64]) -> Tensor:
    """Return how visible each pixel of an occluded face is, [1, S, S] of 0 to 1.

    square [S, S, 3]; landmarks [68, 2] in units of the square, 0 to 1. Far from the inner face
    every pixel counts as visible.
    """
    size = square.shape[0]
    inside = torch.from_numpy(face_mask(landmarks * size, size)).float()[None, None]
    margin = RELIABLE_MARGIN_PIXELS * size // SQUARE_PIXELS
    near = F.max_pool2d(inside, 2 * margin + 1, 1, margin)
    sure = torch.from_numpy(occlusion(square))[None, None]
    reach = WIDENING_PIXELS * size // SQUARE_PIXELS // 2
    hidden = F.max_pool2d(sure, 2 * reach + 1, 1, reach)
    return 1 - (near * hidden)[0]


def _widened(flags: NDArray[np.bool_], live: bool, neighbours: int) -> NDArray[np.bool_]:
    wide = flags.copy()
    for step in range(1, neighbours + 1):
        wide[step:] |= flags[:-step]
        if not live:
            wide[:-step] |= flags[step:]
    return wide
