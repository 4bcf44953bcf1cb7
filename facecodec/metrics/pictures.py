"""Two pictures compared: L1, PSNR and SSIM, over the whole picture or inside a mask.

Pictures are [H, W, 3], uint8 (0 to 255) or floating point (0 to 1); both of a pair alike or mixed.
A mask is [H, W]: 0 leaves a pixel out, anything positive is its weight.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Picture = NDArray[Any]
Mask = NDArray[Any]

# Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment: from error visibility to
# structural similarity": Gaussian window 11x11, sigma 1.5, K1 = 0.01, K2 = 0.03.
WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
PSNR_WHEN_EQUAL = 100.0  # dB of a frame without any error in a mean over frames that have some


def l1(a: Picture, b: Picture, mask: Mask | None = None) -> float:
    """Return the mean absolute difference in grey levels, 0 (equal) to 255.

    `a`, `b` [H, W, 3]; `mask` [H, W]. Raises ValueError as `ssim` does.
    """
    return 255 * _mean(np.abs(_levels(a, b)), mask)


def psnr(a: Picture, b: Picture, mask: Mask | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB over all three channels, inf when equal.

    `a`, `b` [H, W, 3]; `mask` [H, W]. Raises ValueError as `ssim` does.
    """
    error = _mean(_levels(a, b) ** 2, mask)
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(a: Picture, b: Picture, mask: Mask | None = None) -> float:
    """Return the structural similarity, at most 1 (equal); the mean over the three channels.

    `a`, `b` [H, W, 3]; `mask` [H, W]. Windows centred within 5 pixels of the edge, which would need
    pixels that are not there, are left out. Raises ValueError for pictures of two sizes or smaller
    than 11x11, and for a mask of another size or of zeros.
    """
    _check(a, b)
    if min(a.shape[:2]) < WINDOW:
        raise ValueError(f"a picture of {a.shape[1]}x{a.shape[0]}: SSIM needs {WINDOW}x{WINDOW}")
    return _mean(_ssim_map(a, b), _inner(mask))


def all_three(a: Picture, b: Picture, masks: Sequence[Mask | None]) -> list[tuple[float, ...]]:
    """Return (l1, psnr, ssim) of `a` and `b` [H, W, 3] for each of several masks [H, W].

    Differences are computed once for all masks. Raises ValueError as `ssim` does.
    """
    _check(a, b)
    error, similar = _levels(a, b), _ssim_map(a, b)
    absolute, squared = np.abs(error).mean(2), (error * error).mean(2)
    results: list[tuple[float, ...]] = []
    for mask in masks:
        mse = _mean(squared, mask)
        decibels = float("inf") if mse == 0 else float(-10 * np.log10(mse))
        results.append((255 * _mean(absolute, mask), decibels, _mean(similar, _inner(mask))))
    return results


def mean_known(values: NDArray[np.float64]) -> float | None:
    """Return the mean of the values [N] that are not NaN, None without any.

    Beside finite ones a PSNR of inf counts as `PSNR_WHEN_EQUAL`.
    """
    known = values[~np.isnan(values)]
    if np.isfinite(known).any():
        known = np.minimum(known, PSNR_WHEN_EQUAL)
    return float(known.mean()) if len(known) else None


def _inner(mask: Mask | None) -> Mask | None:
    """Return the part [H - 10, W - 10] of a mask [H, W] that belongs to windows of SSIM."""
    edge = WINDOW // 2
    return None if mask is None else np.asarray(mask)[edge:-edge, edge:-edge]


def _ssim_map(a: Picture, b: Picture) -> NDArray[np.float64]:
    """Return the local similarity [H - 10, W - 10] of pictures [H, W, 3], mean of channels."""
    # The middle grey is taken out first: in float32, E[x^2] - E[x]^2 of a bright patch is noise.
    shift = 0.5
    x, y = (torch.from_numpy(_unit(p)).permute(2, 0, 1) - shift for p in (a, b))
    stack = torch.cat([x, y, x * x, y * y, x * y])
    # Two products with a band matrix: many times faster than a convolution of one channel.
    blurred = _band(a.shape[0]) @ stack @ _band(a.shape[1]).T
    mx, my, xx, yy, xy = blurred.double().split(3)
    vx, vy, cov = xx - mx * mx, yy - my * my, xy - mx * my
    mx, my = mx + shift, my + shift
    c1, c2 = K1**2, K2**2
    top = (2 * mx * my + c1) * (2 * cov + c2)
    bottom = (mx * mx + my * my + c1) * (vx + vy + c2)
    similarity: NDArray[np.float64] = (top / bottom).mean(0).numpy()
    return similarity


@functools.lru_cache(maxsize=8)
def _band(length: int) -> torch.Tensor:
    """Return the matrix [length - 10, length] that blurs a line of pixels with the window."""
    taps = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2)
    taps /= taps.sum()
    matrix = np.zeros((length - WINDOW + 1, length), np.float32)
    for row in range(len(matrix)):
        matrix[row, row : row + WINDOW] = taps
    return torch.from_numpy(matrix)


def _check(a: Picture, b: Picture) -> None:
    if a.shape != b.shape or a.ndim != 3 or a.shape[2] != 3:
        raise ValueError(f"two pictures [H, W, 3] of one size, not {a.shape} and {b.shape}")


def _unit(picture: Picture) -> NDArray[np.float32]:
    """Return a picture [H, W, 3] as float32, 0 to 1. Raises ValueError for another type."""
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / np.float32(255)
    if not np.issubdtype(picture.dtype, np.floating):
        raise ValueError(f"a picture is uint8 or floating point, not {picture.dtype}")
    return picture.astype(np.float32)


def _levels(a: Picture, b: Picture) -> NDArray[np.float64]:
    """Return the difference of two pictures, float64 [H, W, 3], full scale 1."""
    _check(a, b)
    if a.dtype == np.uint8 and b.dtype == np.uint8:
        return (a.astype(np.int16) - b.astype(np.int16)) / 255.0
    return _unit(a).astype(np.float64) - _unit(b)


def _mean(values: NDArray[np.float64], mask: Mask | None) -> float:
    """Return the mean of [H, W] or [H, W, 3], weighted by `mask` [H, W]."""
    if mask is None:
        return float(values.mean())
    weights = np.asarray(mask, dtype=np.float64)
    if weights.shape != values.shape[:2]:
        raise ValueError(f"a mask of {weights.shape} for a picture of {values.shape[:2]}")
    total = float(weights.sum())
    if total <= 0:
        raise ValueError("the mask is empty")
    if values.ndim == 3:
        values = values.mean(2)
    return float((values * weights).sum() / total)
