"""L1, PSNR and SSIM: known values, ideal values, masks, and agreement with torchmetrics."""

import math

import numpy as np
import pytest

from facecodec.metrics.pictures import l1, psnr, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    a = np.linspace(30, 220, 64 * 48 * 3).reshape(64, 48, 3) + rng.normal(0, 8, (64, 48, 3))
    b = a + rng.normal(0, 12, a.shape)
    return a.clip(0, 255).astype(np.uint8), b.clip(0, 255).astype(np.uint8)


def test_equal_pictures(pair):
    a, _ = pair
    assert l1(a, a) == 0
    assert psnr(a, a) == math.inf
    assert ssim(a, a) == pytest.approx(1, abs=1e-9)


def test_values_by_hand():
    a = np.full((16, 16, 3), 100, np.uint8)
    b = np.full((16, 16, 3), 110, np.uint8)
    assert l1(a, b) == pytest.approx(10)
    assert l1(b, a) == pytest.approx(10)
    assert psnr(a, b) == pytest.approx(20 * math.log10(255 / 10))
    # flat pictures: only the luminance term of SSIM is left
    x, y = 100 / 255, 110 / 255
    assert ssim(a, b) == pytest.approx((2 * x * y + 1e-4) / (x * x + y * y + 1e-4), abs=1e-5)


def test_float_pictures_mean_the_same(pair):
    a, b = pair
    for measure in (l1, psnr, ssim):
        assert measure(a / 255.0, b / 255.0) == pytest.approx(measure(a, b), rel=1e-5)
        assert measure(a, (b / 255).astype(np.float32)) == pytest.approx(measure(a, b), rel=1e-5)


def test_mask_counts_only_what_it_covers(pair):
    a, _ = pair
    b = a.copy()
    b[:32] = 255 - b[:32]
    top, bottom = np.zeros(a.shape[:2]), np.zeros(a.shape[:2])
    top[:32], bottom[32:] = 1, 1
    assert l1(a, b, bottom) == 0
    assert psnr(a, b, bottom) == math.inf
    assert l1(a, b, top) == pytest.approx(2 * l1(a, b), rel=1e-6)
    assert ssim(a, b, top) < ssim(a, b) < ssim(a, b, bottom)


def test_matches_torchmetrics(pair):
    functional = pytest.importorskip("torchmetrics.functional.image")
    import torch

    a, b = pair
    x, y = (torch.from_numpy(p).permute(2, 0, 1)[None].double() / 255 for p in (a, b))
    assert psnr(a, b) == pytest.approx(
        float(functional.peak_signal_noise_ratio(x, y, data_range=1.0)), abs=1e-4
    )
    _, full = functional.structural_similarity_index_measure(
        x, y, data_range=1.0, sigma=1.5, return_full_image=True
    )
    assert ssim(a, b) == pytest.approx(float(full[..., 5:-5, 5:-5].mean()), abs=1e-4)


def test_what_cannot_be_compared(pair):
    a, b = pair
    with pytest.raises(ValueError, match="one size"):
        psnr(a, b[:-1])
    with pytest.raises(ValueError, match="uint8 or floating"):
        l1(a.astype(np.int32), b)
    with pytest.raises(ValueError, match="mask"):
        l1(a, b, np.zeros(a.shape[:2]))
    with pytest.raises(ValueError, match="11x11"):
        ssim(a[:8], b[:8])
